-- … made by another function
-- expect: skipped error local 'c' was changed
local function counter() local c = 0 return function() c = c + 1 return c end end
local count = counter()
return promotion { id = "hostile", class = "line", apply = function(cart) cart:items():percent_off(count()) end }
