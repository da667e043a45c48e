-- a loop in a comparator
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    table.sort({ 3, 2, 1 }, function() while true do end end)
  end,
}
