-- a number in quotes
-- expect: refused type
return promotion { id = "hostile", class = "line", effects = { { amount_off = "500" } } }
