-- a text that is no UTF-8
-- expect: discount 500 nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local v = json.decode('"\255"') cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(v))
  end,
}
