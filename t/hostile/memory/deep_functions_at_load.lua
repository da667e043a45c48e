-- functions that hold each other as deep
-- expect: refused script_error
local f = function() end for i = 1, 100 do local g = f f = function() return g end end
return promotion { id = "hostile", class = "line", apply = function(cart) return f end }
