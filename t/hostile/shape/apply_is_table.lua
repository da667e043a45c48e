-- apply as a table
-- expect: refused script_error
return promotion { id = "hostile", class = "line", apply = {} }
