-- looking for a text in a long one
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 13 do s = s .. s end while true do s:find("b", 1, true) end
  end,
}
