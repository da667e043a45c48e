-- returns nothing
-- expect: refused script_error
local x = 1
