-- a filter that holds itself
-- expect: skipped error in a circle
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local f = {} f["not"] = f cart:items(f)
  end,
}
