-- an id with a zero byte
-- expect: refused script_error
return promotion { id = "hostile\0x", class = "line", effects = { { percent_off = 1 } } }
