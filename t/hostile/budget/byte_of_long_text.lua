-- all bytes of a text as values
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 12 do s = s .. s end while true do s:byte(1, -1) end
  end,
}
