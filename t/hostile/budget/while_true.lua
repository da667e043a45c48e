-- an endless loop
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    while true do end
  end,
}
