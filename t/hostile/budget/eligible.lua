-- an endless loop where it is only asked
-- expect: skipped instructions
return promotion { id = "hostile", class = "line", eligible = function(cart) while true do end end, effects = { { percent_off = 1 } } }
