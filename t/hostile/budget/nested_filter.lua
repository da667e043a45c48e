-- filters in filters
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local f = { sku = { "BOOT" } } for i = 1, 12 do f = { ["not"] = f } end while true do cart:items(f) end
  end,
}
