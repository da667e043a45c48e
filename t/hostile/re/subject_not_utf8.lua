-- a subject that is no UTF-8 matches nothing
-- expect: discount 500 nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(re.match("a\255b", "a")))
  end,
}
