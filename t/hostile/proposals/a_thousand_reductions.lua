-- a thousand reductions of the same goods
-- expect: discount 10000
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 1000 do cart:items { sku = { "BOOT" } }:amount_off(i < 996 and i or 995, "x", "line") end
  end,
}
