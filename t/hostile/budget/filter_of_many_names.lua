-- a filter of two thousand names
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 2000 do t[i] = "k" .. i end while true do cart:items { sku = t } end
  end,
}
