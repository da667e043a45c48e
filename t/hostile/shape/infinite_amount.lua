-- an amount without end
-- expect: refused script_error
return promotion { id = "hostile", class = "line", effects = { { amount_off = math.huge } } }
