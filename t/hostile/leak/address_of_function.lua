-- … of a function
-- expect: discount 500 function
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(tostring))
  end,
}
