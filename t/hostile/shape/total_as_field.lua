-- sets a total, as if it could
-- expect: refused unknown_field
return promotion { id = "hostile", class = "line", total = 1, effects = { { percent_off = 1 } } }
