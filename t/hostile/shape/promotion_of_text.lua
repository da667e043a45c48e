-- a promotion of a text
-- expect: refused script_error
return promotion "hostile"
