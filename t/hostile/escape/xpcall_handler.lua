-- hooks are off while an error handler runs
-- expect: skipped error attempt to call global 'xpcall'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    xpcall(function() while true do end end, function() while true do end end)
  end,
}
