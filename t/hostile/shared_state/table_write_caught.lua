-- … with the refusal caught: nothing is kept all the same
-- expect: discount 500 nil
local seen = {}
return promotion { id = "hostile", class = "line", apply = function(cart) pcall(function() seen.x = 1 end) cart:message(tostring(seen.x)) cart:items { sku = { "BOOT" } }:percent_off(5) end }
