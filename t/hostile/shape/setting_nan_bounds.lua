-- bounds that are none
-- expect: refused
return promotion { id = "hostile", class = "line", settings = { a = { type = "percent", default = 5, min = 0 / 0, max = 0 / 0 } }, effects = { { percent_off = setting "a" } } }
