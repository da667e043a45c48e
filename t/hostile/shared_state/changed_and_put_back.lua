-- a local changed and put back is as it was
-- expect: discount 500
local n = 1
return promotion { id = "hostile", class = "line", apply = function(cart) n = 2 n = 1 cart:items { sku = { "BOOT" } }:percent_off(5) end }
