-- a width taken from an argument
-- expect: skipped error a verb that is not one of
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.format("%*d", 1000, 1)
  end,
}
