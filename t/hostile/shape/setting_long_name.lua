-- a setting with too long a name
-- expect: refused script_error
return promotion { id = "hostile", class = "line", settings = { [("a"):upper() .. string.format("%99d", 1)] = { type = "percent", default = 1 } }, effects = { { percent_off = 1 } } }
