-- a setting that is no number
-- expect: refused script_error
return promotion { id = "hostile", class = "line", settings = { a = { type = "number", default = 0 / 0 } }, effects = { { percent_off = 1 } } }
