-- a percentage that is no number
-- expect: refused script_error
return promotion { id = "hostile", class = "line", effects = { { percent_off = 0 / 0 } } }
