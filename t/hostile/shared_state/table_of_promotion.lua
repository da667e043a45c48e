-- the promotion's own table
-- expect: skipped error this table is read-only
local p = { id = "hostile", class = "line" }
p.apply = function(cart) p.name = "changed" end
return promotion(p)
