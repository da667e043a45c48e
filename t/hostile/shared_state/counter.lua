-- counts its calls in a local
-- expect: skipped error local 'n' was changed
local n = 0
return promotion { id = "hostile", class = "line", apply = function(cart) n = n + 1 cart:items { sku = { "BOOT" } }:percent_off(n) end }
