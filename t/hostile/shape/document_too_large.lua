-- a document of more than it may have
-- expect: refused
local t = {} for i = 1, 4000 do t[i] = "a stock keeping unit with a name that is far too long for anybody, number " .. i end
return promotion { id = "hostile", class = "line", effects = { { percent_off = 1, items = { sku = t } } } }
