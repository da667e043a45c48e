-- fewer than none
-- expect: skipped error a whole number of units
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():cheapest(-1)
  end,
}
