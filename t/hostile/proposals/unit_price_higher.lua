-- a price that is higher lowers nothing
-- expect: discount 0
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:unit_price(900000)
  end,
}
