-- arguments handed on
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = select while true do s(2, 1, 2, 3, 4, 5, 6, 7, 8, 9) end
  end,
}
