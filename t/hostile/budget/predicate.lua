-- a loop in a function that picks items
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():where(function(line) while true do end end)
  end,
}
