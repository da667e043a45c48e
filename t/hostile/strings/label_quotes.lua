-- a label that would end its JSON
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5, '","amount":-1000000,"x":"')
  end,
}
