-- each insertion moves the whole list
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} while true do table.insert(t, 1, 0) end
  end,
}
