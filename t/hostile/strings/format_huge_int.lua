-- 1e308 as a whole number
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = string.format("%d %x %u", 1e308, 1e18, -1)
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
