-- the modules that are loaded
-- expect: skipped error attempt to index global 'package'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for k in pairs(package.loaded) do cart:message(k) end
  end,
}
