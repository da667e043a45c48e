-- a price below nothing
-- expect: skipped error a whole number of minor units
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():unit_price(-1)
  end,
}
