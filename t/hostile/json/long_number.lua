-- a number of four thousand digits
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "1" for i = 1, 11 do s = s .. s end json.decode(s)
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
