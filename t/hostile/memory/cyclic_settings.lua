-- settings that hold themselves
-- expect: refused script_error
local s = { type = "filter" } s.default = s
return promotion { id = "hostile", class = "line", settings = { s = s }, effects = { { percent_off = 1 } } }
