-- a function kept that holds the cart
-- expect: skipped error local 'later' was changed
local later
return promotion { id = "hostile", class = "line", apply = function(cart) if later then later() end later = function() cart:items():percent_off(50) end end }
