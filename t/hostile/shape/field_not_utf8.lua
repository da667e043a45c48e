-- a field whose name is none
-- expect: refused script_error
return promotion { id = "hostile", class = "line", ["\255"] = 1, effects = { { percent_off = 1 } } }
