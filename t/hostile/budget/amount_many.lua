-- sums
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = cart:items() while true do s:amount() end
  end,
}
