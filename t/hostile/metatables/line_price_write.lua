-- a price of the script's own
-- expect: skipped error this line is read-only
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():first().unit_price = 1
  end,
}
