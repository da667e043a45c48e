-- … and far before the beginning
-- expect: discount 500 1
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring((("abc"):find("a", -2^31, true))))
  end,
}
