-- inserts far behind the end
-- expect: skipped error outside the list
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    table.insert({}, 2^31 - 1, "x")
  end,
}
