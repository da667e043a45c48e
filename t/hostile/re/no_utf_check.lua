-- … or takes the check of UTF-8 away
-- expect: discount 500 nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(re.match("\255", "(*NO_JIT)(*NO_AUTO_POSSESS)\\xff")))
  end,
}
