-- … of single units
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t, s = {}, cart:items() for i = 1, 1e6 do t[i] = s:cheapest(1) end
  end,
}
