-- a deal of more than all numbers
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:deal { buy = { { items = {}, quantity = 1e308 } }, get = { { items = {}, quantity = 1, percent_off = 100 } } }
  end,
}
