-- the cart itself kept
-- expect: skipped error local 'kept' was changed
local kept
return promotion { id = "hostile", class = "line", apply = function(cart) kept = kept or cart cart:items():percent_off(1) end }
