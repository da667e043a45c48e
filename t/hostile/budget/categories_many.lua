-- lists of categories are made anew each time
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local l = cart:items():first() while true do local c = l.categories end
  end,
}
