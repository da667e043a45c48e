-- something behind the return
-- expect: refused script_syntax
return promotion { id = "hostile", class = "line", effects = {} }
while true do end
