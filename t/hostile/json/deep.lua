-- lists nested ten thousand deep
-- expect: discount 500 nil json_depth
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "[" for i = 1, 13 do s = s .. s end local v, why = json.decode(s)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(v) .. " " .. (why == "json_syntax" and "json_depth" or why))
  end,
}
