-- a deal of nothing for something
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:deal { buy = { { items = {}, quantity = 0 } }, get = { { items = { sku = { "BOOT" } }, quantity = 1, percent_off = 100 } } }
  end,
}
