-- the same by tables that are made once
-- expect: skipped instructions
local s, F = "", {} for i = 1, 19 do s = s .. "0123456789" end
for i = 1, 64 do F[i] = { sku = { s .. i, s .. "b", s .. "c", s .. "d", s .. "e", s .. "f", s .. "g", s .. "h" } } end
return promotion { id = "hostile", class = "line", apply = function(cart)
  for i = 1, 64 do cart:items(F[i]) end
  cart:items { sku = { "BOOT" } }:percent_off(5)
end }
