-- numbers as nobody writes them
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = { tonumber("0x1p-1074"), tonumber("1e-400"), tonumber(" 12 "), tonumber("0b101"), tonumber("1_000"), tonumber("infinity"), tonumber("nan") }
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
