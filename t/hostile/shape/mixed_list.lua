-- a list and names in one table
-- expect: refused script_error
return promotion { id = "hostile", class = "line", effects = { { percent_off = 1 }, also = 2 } }
