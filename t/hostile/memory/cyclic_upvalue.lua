-- a table that holds itself, kept from loading on
-- expect: discount 500
local t = {} t.t = t
return promotion { id = "hostile", class = "line", apply = function(cart) cart:items { sku = { "BOOT" } }:percent_off(t.t.t.t == t.t and 5 or 1) end }
