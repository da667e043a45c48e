-- eligible tells apply something
-- expect: skipped error local 'seen' was changed
local seen
return promotion { id = "hostile", class = "line", eligible = function(cart) seen = cart.subtotal return true end, apply = function(cart) cart:items():percent_off(seen and 5 or 1) end }
