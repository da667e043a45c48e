-- functions as names likewise
-- expect: skipped error can be walked
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    next({ [pairs] = 1, [next] = 2 })
  end,
}
