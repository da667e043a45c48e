-- a place far behind the end
-- expect: discount 500 nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(("abc"):find("a", 2^31 - 1, true)))
  end,
}
