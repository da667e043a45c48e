-- one of ipairs keeps nothing
-- expect: discount 500
local step, t, i = ipairs({ 5, 6 })
return promotion { id = "hostile", class = "line", apply = function(cart) local _, v = step(t, i) cart:items { sku = { "BOOT" } }:percent_off(v) end }
