-- a table handed to a helper that writes to it
-- expect: skipped error this table is read-only
local seen = {}
local function note(t) t.n = 1 end
return promotion { id = "hostile", class = "line", apply = function(cart) note(seen) end }
