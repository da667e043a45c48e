-- not a number of units
-- expect: skipped error a whole number of units
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():cheapest(0 / 0)
  end,
}
