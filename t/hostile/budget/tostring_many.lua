-- texts of numbers
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = tostring while true do t(1) end
  end,
}
