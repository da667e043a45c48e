-- … written to deep within
-- expect: skipped error this table is read-only
local seen = { a = { b = {} } }
return promotion { id = "hostile", class = "line", apply = function(cart) seen.a.b[1] = cart end }
