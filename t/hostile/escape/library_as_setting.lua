-- … or as one declaration
-- expect: refused script_error
return promotion { id = "hostile", class = "line", settings = { a = table }, effects = { { percent_off = 1 } } }
