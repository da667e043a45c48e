-- an example that runs away
-- expect: refused script_limit
return promotion { id = "hostile", class = "line", effects = { { percent_off = 1 } }, cases = { (function() while true do end end)() } }
