-- … kept in a table
-- expect: skipped error began before this quote
local kept = { step = pairs({ 1, 2, 3 }) }
return promotion { id = "hostile", class = "line", apply = function(cart) local k = kept.step() if k == 2 then cart:items():percent_off(50) end end }
