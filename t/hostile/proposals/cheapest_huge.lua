-- more than there are
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:cheapest(2^52):percent_off(5)
  end,
}
