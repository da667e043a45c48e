-- … of -0 is nothing
-- expect: discount 0
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(-0)
  end,
}
