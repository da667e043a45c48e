-- sorting is work of the host's: it is charged
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 9000 do t[i] = -i end while true do table.sort(t) end
  end,
}
