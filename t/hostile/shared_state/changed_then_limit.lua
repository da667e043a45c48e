-- changed, and a limit before anybody looks
-- expect: skipped instructions
local n = 0
return promotion { id = "hostile", class = "line", apply = function(cart) if n > 0 then cart:items():percent_off(50) else n = 1 while true do end end end }
