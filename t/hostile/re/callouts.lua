-- callouts of the pattern's own
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    assert(re.match("abc", "a(?C1)b(?C'text')c") == "abc")
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
