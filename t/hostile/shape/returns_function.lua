-- returns a function
-- expect: refused script_error
return function() end
