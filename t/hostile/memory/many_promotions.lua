-- more promotions than a file may have
-- expect: refused script_error
local t = {} for i = 1, 1001 do t[i] = promotion { id = "p" .. i, class = "line", effects = {} } end return t
