-- returns a table with nothing in it
-- expect: refused
return {}
