-- fills its memory up, to be stopped by what earlier quotes have left
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 9000 do t[i] = "text number " .. i .. " of this very quote" end
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
