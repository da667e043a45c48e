-- … in digits of sixteen
-- expect: discount 1600
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off("0x10")
  end,
}
