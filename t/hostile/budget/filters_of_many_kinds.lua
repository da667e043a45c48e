-- a filter of another content each time
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 1e6 do cart:items { sku = { "a" .. i } } end
  end,
}
