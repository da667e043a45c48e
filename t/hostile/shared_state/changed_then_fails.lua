-- changed, and an error before anybody looks
-- expect: skipped error local 'n' was changed|boom
local n = 0
return promotion { id = "hostile", class = "line", apply = function(cart) if n > 0 then cart:items():percent_off(50) else n = 1 error("boom") end end }
