-- half a penny
-- expect: skipped error a whole number of minor units
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():amount_off(0.5)
  end,
}
