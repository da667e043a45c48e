-- a line kept
-- expect: skipped error local 'kept' was changed
local kept
return promotion { id = "hostile", class = "line", apply = function(cart) kept = cart:items():first() end }
