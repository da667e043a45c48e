-- one place far away makes no long list
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} t[2^40] = 1 t[1e300] = 2 t[-5] = 3
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
