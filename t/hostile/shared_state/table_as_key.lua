-- a table behind which another stands as a name
-- expect: discount 500 nil
local k = {} local m = { [k] = { n = 1 } }
return promotion { id = "hostile", class = "line", apply = function(cart) cart:message(tostring(m[k])) cart:items { sku = { "BOOT" } }:percent_off(5) end }
