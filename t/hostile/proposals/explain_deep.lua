-- what is missing, nested for ever
-- expect: skipped error in a circle
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} t.t = t cart:explain { missing = t }
  end,
}
