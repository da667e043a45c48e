-- … by the verb that quotes
-- expect: skipped error a verb that is not one of
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.format("%q", {})
  end,
}
