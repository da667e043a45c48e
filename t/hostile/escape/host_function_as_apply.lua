-- a function of the host as apply
-- expect: refused script_error
return promotion { id = "hostile", class = "line", apply = tostring }
