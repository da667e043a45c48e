-- what is no number is not equal to itself, and yet was not changed
-- expect: discount 500
local n = 0 / 0
return promotion { id = "hostile", class = "line", apply = function(cart) if n ~= n then cart:items { sku = { "BOOT" } }:percent_off(5) end end }
