-- functions made in a loop
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    while true do local f = function() return cart end end
  end,
}
