-- removes what is not there
-- expect: discount 500 nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring((table.remove({ 1 }, -2^31))))
  end,
}
