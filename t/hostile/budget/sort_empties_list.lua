-- a comparator that takes its list away
-- expect: discount 1200
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = { 3, 2, 1 }
    table.sort(t, function(a, b) t[1], t[2], t[3] = nil, nil, nil return a < b end)
    cart:items { sku = { "BOOT" } }:amount_off((t[1] + t[2] + t[3]) * 100, "x")
  end,
}
