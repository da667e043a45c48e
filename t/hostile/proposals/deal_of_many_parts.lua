-- a deal of a thousand parts
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local parts = {} for i = 1, 1000 do parts[i] = { items = { sku = { "BOOT" } }, quantity = 1 } end
    cart:deal { buy = parts, get = { { items = {}, quantity = 1, percent_off = 100 } } }
  end,
}
