-- all bytes of a text in a table, again and again
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 11 do s = s .. s end local t = {} while true do t[#t + 1] = { s:byte(1, -1) } end
  end,
}
