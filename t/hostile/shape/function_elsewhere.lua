-- a function in place of a number
-- expect: refused script_error
return promotion { id = "hostile", class = "line", priority = function() end, effects = {} }
