-- a promotion of a promotion
-- expect: discount 500
return promotion(promotion { id = "hostile", class = "line", effects = { { percent_off = 5, items = { sku = { "BOOT" } } } } })
