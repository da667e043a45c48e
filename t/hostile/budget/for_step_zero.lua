-- a step of nothing
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 2, 0 do end
  end,
}
