-- … by insert
-- expect: skipped error table expected
local seen = {}
return promotion { id = "hostile", class = "line", apply = function(cart) table.insert(seen, 1) end }
