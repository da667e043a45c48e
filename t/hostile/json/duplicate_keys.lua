-- two members of one name
-- expect: discount 500 nil json_duplicate_key
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local v, why = json.decode('{"a":1,"a":2}') cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(v) .. " " .. why)
  end,
}
