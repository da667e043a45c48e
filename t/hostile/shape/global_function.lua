-- a function without local
-- expect: refused script_error
function helper() end
return promotion { id = "hostile", class = "line", effects = { { percent_off = 1 } } }
