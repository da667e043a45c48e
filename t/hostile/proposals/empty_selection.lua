-- a reduction of no goods
-- expect: discount 0
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "NONE" } }:percent_off(100)
  end,
}
