-- a comparator that fails in the midst
-- expect: skipped error enough
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    table.sort({ 3, 2, 1 }, function(a, b) error("enough") end)
  end,
}
