-- an amount below nothing makes goods dearer
-- expect: refused min
return promotion { id = "hostile", class = "line", effects = { { amount_off = -500 } } }
