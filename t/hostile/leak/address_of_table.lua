-- the address of a table
-- expect: discount 500 table
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring({}))
  end,
}
