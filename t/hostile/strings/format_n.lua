-- the verb that writes to memory
-- expect: skipped error a verb that is not one of
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.format("%n", 1)
  end,
}
