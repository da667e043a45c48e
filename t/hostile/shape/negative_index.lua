-- a list that begins below nothing
-- expect: refused script_error
return promotion { id = "hostile", class = "line", effects = { [-1] = { percent_off = 1 } } }
