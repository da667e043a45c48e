-- a loop to what is no number ends at once
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 0 / 0 do error("never") end
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
