-- asking for items costs by the line
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    while true do cart:items() end
  end,
}
