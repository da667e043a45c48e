-- one by goto
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    ::again:: goto again
  end,
}
