-- … as a table
-- expect: skipped error number expected
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():percent_off({})
  end,
}
