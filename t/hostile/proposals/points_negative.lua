-- points taken away
-- expect: skipped error a whole number of minor units
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:points(-1)
  end,
}
