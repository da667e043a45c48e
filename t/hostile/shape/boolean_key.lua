-- a name that is neither text nor a place
-- expect: refused script_error
return promotion { id = "hostile", class = "line", when = { [true] = 1 }, effects = {} }
