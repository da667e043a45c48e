-- a thread of its own has no hook
-- expect: skipped error attempt to index global 'coroutine'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    coroutine.wrap(function() while true do end end)()
  end,
}
