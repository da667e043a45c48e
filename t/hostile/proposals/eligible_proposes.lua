-- proposes, and says then that it is not for this cart
-- expect: discount 0
return promotion { id = "hostile", class = "line", eligible = function(cart) cart:items():percent_off(100) return false end, apply = function() end }
