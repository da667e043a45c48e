-- new code by pieces
-- expect: skipped error attempt to call global 'load'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    load(function() return "while true do end" end)()
  end,
}
