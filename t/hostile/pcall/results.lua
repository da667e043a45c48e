-- two hundred results through pcall
-- expect: discount 500 201
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local n = select("#", pcall(function() return string.byte(string.format("%99d", 1) .. string.format("%99d", 1) .. "ab", 1, -1) end))
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(n))
  end,
}
