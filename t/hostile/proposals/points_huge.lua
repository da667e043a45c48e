-- more points than there are numbers
-- expect: skipped error a whole number of minor units
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:points(2^63)
  end,
}
