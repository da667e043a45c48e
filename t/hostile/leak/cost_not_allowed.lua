-- what goods cost the shop is nobody's business
-- expect: discount 500 nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) local l = cart:items():first() cart:message(tostring(l and l.cost))
  end,
}
