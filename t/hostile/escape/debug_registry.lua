-- the registry holds every script's functions
-- expect: skipped error attempt to index global 'debug'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for k, v in pairs(debug.getregistry()) do cart:message(tostring(v)) end
  end,
}
