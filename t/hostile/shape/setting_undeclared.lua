-- a setting that was not declared
-- expect: refused script_error
return promotion { id = "hostile", class = "line", effects = { { percent_off = setting "a" } } }
