-- thirty-two kilobytes are within the limit
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" for i = 1, 14 do s = s .. s end s = s .. s
    cart:items { sku = { "BOOT" } }:percent_off(#s == 32768 and 5 or 1)
  end,
}
