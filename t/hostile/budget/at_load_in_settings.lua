-- one in the making of a field
-- expect: refused script_limit
return promotion { id = "hostile", class = "line", name = (function() while true do end end)(), effects = {} }
