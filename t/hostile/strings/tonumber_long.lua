-- digits beyond all numbers
-- expect: discount 500 nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "f" for i = 1, 8 do s = s .. s end
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(tonumber(s, 16)))
  end,
}
