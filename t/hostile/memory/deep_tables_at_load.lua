-- tables nested deeper than the freezer goes
-- expect: refused script_error
local t = {} for i = 1, 100 do t = { t } end
return promotion { id = "hostile", class = "line", apply = function(cart) return t end }
