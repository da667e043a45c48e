-- a thousand deals that want the same goods
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 1000 do cart:deal { buy = { { items = { sku = { "BOOT" } }, quantity = 1 } }, get = { { items = { sku = { "BOOT" } }, quantity = 1, percent_off = 100 } } } end
  end,
}
