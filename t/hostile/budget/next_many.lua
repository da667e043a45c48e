-- next looks at all names: that is charged
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 2000 do t[i] = i end local n = next while true do n(t) end
  end,
}
