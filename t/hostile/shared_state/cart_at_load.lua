-- there is no cart while a file is loaded
-- expect: refused script_error
cart:items():percent_off(50)
return promotion { id = "hostile", class = "line", effects = { { percent_off = 1 } } }
