-- … again and again
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    while true do pcall(function() while true do end end) end
  end,
}
