-- counting on where one more is the same number
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 2^53, 2^53 + 2 do end
  end,
}
