-- … of the host's objects
-- expect: discount 500 cartselectionlinenulltable
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5)
    cart:message(tostring(cart) .. tostring(cart:items()) .. tostring(cart:items():first() or "line") .. tostring(json.null) .. tostring(string))
  end,
}
