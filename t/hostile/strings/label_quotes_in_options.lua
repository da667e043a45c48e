-- … written into JSON by hand
-- expect: discount 1000
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:amount_off(500, '","amount_off":900000,"label":"x', "unit")
  end,
}
