-- a setting that begins out of its bounds
-- expect: refused script_error
return promotion { id = "hostile", class = "line", settings = { a = { type = "percent", default = 1e308 } }, effects = { { percent_off = setting "a" } } }
