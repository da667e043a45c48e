-- half of the budget in eligible, half in apply: it is one budget
-- expect: skipped instructions
local function burn() for i = 1, 60000 do end return true end
return promotion { id = "hostile", class = "line", eligible = burn, apply = function(cart) burn() cart:items { sku = { "BOOT" } }:percent_off(5) end }
