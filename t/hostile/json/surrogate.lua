-- half a character by its escape
-- expect: discount 500 nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local v = json.decode('"\\ud800"') cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(v))
  end,
}
