-- stops, steps and reads the collector
-- expect: skipped error attempt to call global 'collectgarbage'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message(tostring(collectgarbage("count")))
  end,
}
