-- each removal moves the whole list
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 10000 do t[i] = i end while true do table.insert(t, 1, table.remove(t, 1)) end
  end,
}
