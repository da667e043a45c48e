-- joining is charged by the element
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 1000 do t[i] = "" end while true do table.concat(t) end
  end,
}
