-- … within a table
-- expect: skipped error local 'n' was changed
local n = 0 local lib = { count = function() n = n + 1 return n end }
return promotion { id = "hostile", class = "line", apply = function(cart) cart:items():percent_off(lib.count()) end }
