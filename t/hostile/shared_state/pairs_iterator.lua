-- a walk begun at loading goes on by a step in each quote
-- expect: skipped error began before this quote
local step = pairs({ a = 1, b = 2, c = 3 })
return promotion { id = "hostile", class = "line", apply = function(cart) local k = step() if k then cart:items { sku = { "BOOT" } }:percent_off(10, k) end end }
