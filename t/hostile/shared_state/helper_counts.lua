-- a helper that counts
-- expect: skipped error local 'n' was changed
local n = 0 local function next_one() n = n + 1 return n end
return promotion { id = "hostile", class = "line", apply = function(cart) cart:items():percent_off(next_one()) end }
