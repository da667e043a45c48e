-- bytecode of a function, to be changed and loaded
-- expect: skipped error attempt to call field 'dump'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.dump(function() end)
  end,
}
