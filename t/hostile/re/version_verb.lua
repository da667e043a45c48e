-- verbs that jump
-- expect: discount 500 nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(re.match("aaab", "a+(*COMMIT)(*FAIL)|(*ACCEPT)x")))
  end,
}
