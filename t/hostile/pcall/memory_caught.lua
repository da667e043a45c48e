-- the end of memory caught
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    pcall(function() local t = {} for i = 1, 1e9 do t[i] = {} end end) cart:items():percent_off(50)
  end,
}
