-- the library itself as a promotion
-- expect: refused script_error
return string
