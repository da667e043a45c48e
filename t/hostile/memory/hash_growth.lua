-- names without an end
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 1e9 do t["k" .. i] = true end
  end,
}
