-- two walks through one selection at once
-- expect: discount 500 9
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s, n = cart:items(), 0
    for a in s:each() do for b in s:each() do n = n + 1 end end
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(n))
  end,
}
