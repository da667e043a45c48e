-- a setting whose value is a setting
-- expect: refused script_error
return promotion { id = "hostile", class = "line", settings = { a = { type = "percent", default = setting "a" } }, effects = { { percent_off = setting "a" } } }
