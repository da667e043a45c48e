-- functions without an end
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 1e6 do t[i] = function() return i end end
  end,
}
