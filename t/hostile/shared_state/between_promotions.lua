-- two promotions of one file that tell each other something
-- expect: skipped error local 'n' was changed
local n = 0
return {
  promotion { id = "hostile", class = "line", apply = function(cart) n = 1 end },
  promotion { id = "second", class = "line", apply = function(cart) if n == 1 then cart:items():percent_off(50) end end },
}
