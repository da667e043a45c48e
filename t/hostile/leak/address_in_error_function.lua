-- in one that is a function
-- expect: skipped error an error that is not text
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    error(tostring)
  end,
}
