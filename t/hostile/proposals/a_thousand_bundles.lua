-- a thousand bundles likewise
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 1000 do cart:bundle { { items = { sku = { "BOOT" } }, quantity = 1 }, { items = { sku = { "TEE" } }, quantity = 1 }, price = 5000 + i } end
  end,
}
