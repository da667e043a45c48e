-- … or as declarations, into which values are written
-- expect: refused script_error
return promotion { id = "hostile", class = "line", settings = math, effects = { { percent_off = 1 } } }
