-- more than the goods cost: at the most they are free
-- expect: discount 10000
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:amount_off(999999999, "x")
  end,
}
