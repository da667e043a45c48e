-- a name of a megabyte
-- expect: refused script_limit
local s = "x" for i = 1, 20 do s = s .. s end
return promotion { id = "hostile", name = s, class = "line", effects = { { percent_off = 1 } } }
