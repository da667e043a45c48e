-- a setting without a value
-- expect: refused script_error
return promotion { id = "hostile", class = "line", settings = { a = { type = "percent" } }, effects = { { percent_off = setting "a" } } }
