-- each call sorts the items
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = cart:items() while true do s:cheapest(1) end
  end,
}
