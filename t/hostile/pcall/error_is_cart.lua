-- the cart as an error
-- expect: skipped error an error that is not text
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    error(cart)
  end,
}
