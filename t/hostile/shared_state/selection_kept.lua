-- a selection kept
-- expect: skipped error local 'kept' was changed
local kept
return promotion { id = "hostile", class = "line", apply = function(cart) if kept then kept:percent_off(50) end kept = cart:items() end }
