-- a name that is no UTF-8
-- expect: refused script_error
return promotion { id = "hostile", name = "\255\254", class = "line", effects = { { percent_off = 1 } } }
