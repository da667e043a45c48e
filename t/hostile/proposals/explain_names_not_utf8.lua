-- … in the names of what is missing
-- expect: skipped error a name that is not UTF-8
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:explain { reason = "x", missing = { ["\255"] = 1 } }
  end,
}
