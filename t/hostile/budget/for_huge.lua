-- one that would come to an end in a year
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 1e15 do end
  end,
}
