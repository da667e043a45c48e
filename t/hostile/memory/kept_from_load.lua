-- a long text kept for the calls, where it would come up for nothing
-- expect: refused script_error
local s = "x" for i = 1, 13 do s = s .. s end
return promotion { id = "hostile", class = "line", apply = function(cart) local x = s .. "a" end }
