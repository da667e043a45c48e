-- what cannot be called is caught
-- expect: discount 500 false
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local ok = pcall(42) cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(ok))
  end,
}
