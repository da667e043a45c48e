-- … below nothing
-- expect: skipped error a percentage is 0 to 100
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():percent_off(-10)
  end,
}
