-- \K, which begins a match behind where it ends
-- expect: skipped error not allowed in lookarounds
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local a, b = re.find("abc", "(?=ab\\K)") cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
