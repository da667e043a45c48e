-- an endless loop caught
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    pcall(function() while true do end end) cart:items():percent_off(50)
  end,
}
