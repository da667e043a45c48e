-- … in a text that ends too early, read to its end each time
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "1," for i = 1, 13 do s = s .. s end s = "[" .. s while true do json.decode(s) end
  end,
}
