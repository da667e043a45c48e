-- goods for nothing
-- expect: discount 10000
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:unit_price(0)
  end,
}
