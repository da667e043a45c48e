-- apply as text
-- expect: refused script_error
return promotion { id = "hostile", class = "line", apply = "cart:items()" }
