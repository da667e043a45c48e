-- a deal repeated for ever
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:deal { buy = { { items = {}, quantity = 1 } }, get = { { items = {}, quantity = 1, percent_off = 100 } }, times = 1e15 }
  end,
}
