-- returns a number
-- expect: refused script_error
return 42
