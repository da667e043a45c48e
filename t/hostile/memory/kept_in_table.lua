-- … deep in a table
-- expect: refused script_error
local s = "x" for i = 1, 13 do s = s .. s end
local t = { { { s } } }
return promotion { id = "hostile", class = "line", apply = function(cart) return t end }
