-- what is no number as a whole one
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = string.format("%d", 0) .. string.format("%5.1f", 0 / 0)
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
