-- a list with a hole in it
-- expect: refused script_error
return { promotion { id = "hostile", class = "line", effects = {} }, nil, 5 }
