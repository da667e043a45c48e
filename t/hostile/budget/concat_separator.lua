-- a separator far longer than the elements
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 2000 do t[i] = "" end local s = "x" for i = 1, 11 do s = s .. s end
    while true do pcall(table.concat, t, s) end
  end,
}
