-- … by format
-- expect: discount 500 table function cart
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(string.format("%s %s %s", {}, print or pairs, cart))
  end,
}
