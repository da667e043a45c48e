-- from minus infinity by ones
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = -math.huge, 0 do end
  end,
}
