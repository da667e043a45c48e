-- null is equal only to itself
-- expect: discount 500 true false
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local v = json.decode("[null]") cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(v[1] == json.null) .. " " .. tostring(v[1] == nil))
  end,
}
