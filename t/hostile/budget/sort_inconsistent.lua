-- a comparator that contradicts itself leaves a list of the same elements
-- expect: discount 600
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 200 do t[i] = i end
    table.sort(t, function() return true end)
    local sum = 0 for i = 1, 200 do sum = sum + t[i] end
    cart:items { sku = { "BOOT" } }:amount_off(sum == 20100 and 300 or 1, "x")
  end,
}
