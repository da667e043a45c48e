-- a long text that is no JSON
-- expect: discount 500 nil json_syntax
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "" for i = 1, 15 do s = s .. "" end for i = 1, 11 do s = s == "" and "0123456789abcdef" or s .. s end
    cart:items { sku = { "BOOT" } }:percent_off(5)
    local v, why = json.decode(s) cart:message(tostring(v) .. " " .. why .. #s)
  end,
}
