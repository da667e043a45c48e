-- a thousand settings
-- expect: discount 500
local s = {} for i = 1, 1000 do s["s" .. i] = { type = "percent", default = 5 } end
return promotion { id = "hostile", class = "line", settings = s, effects = { { percent_off = setting "s7", items = { sku = { "BOOT" } } } } }
