-- walking a table sorts its names: that is charged
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 2000 do t[i] = i end while true do for k in pairs(t) do break end end
  end,
}
