-- … or as cases
-- expect: refused script_error
return promotion { id = "hostile", class = "line", cases = string, effects = { { percent_off = 1 } } }
