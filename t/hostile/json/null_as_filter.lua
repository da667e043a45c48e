-- null as a filter
-- expect: skipped error a filter is a table
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items(json.null)
  end,
}
