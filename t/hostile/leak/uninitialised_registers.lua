-- locals that nothing was put into
-- expect: discount 500 nil nil nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local a, b, c
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(a) .. " " .. tostring(b) .. " " .. tostring(c))
  end,
}
