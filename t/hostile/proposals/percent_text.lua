-- … in quotes is read as the number
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off("5")
  end,
}
