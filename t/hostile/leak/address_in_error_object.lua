-- in an error that is a table
-- expect: skipped error an error that is not text
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    error({ 1, 2 })
  end,
}
