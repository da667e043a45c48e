-- the length of what has none
-- expect: skipped error attempt to get length
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local n = #cart:items():first()
  end,
}
