-- 0 and -0 are equal, and can be told apart by dividing
-- expect: skipped error local 'n' was changed
local n = 0
return promotion { id = "hostile", class = "line", apply = function(cart) if 1 / n < 0 then cart:items():percent_off(50) end n = -n end }
