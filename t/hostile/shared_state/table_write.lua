-- a table kept from loading on
-- expect: skipped error this table is read-only
local seen = {}
return promotion { id = "hostile", class = "line", apply = function(cart) seen.x = (seen.x or 0) + 1 end }
