-- a class that there is not
-- expect: refused enum
return promotion { id = "hostile", class = "root", effects = { { percent_off = 1 } } }
