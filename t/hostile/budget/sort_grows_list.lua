-- a comparator that makes its list longer
-- expect: discount 600
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = { 3, 2, 1 }
    table.sort(t, function(a, b) t[#t + 1] = 0 return a < b end)
    cart:items { sku = { "BOOT" } }:amount_off(t[1] * 300, "x")
  end,
}
