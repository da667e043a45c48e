-- bytes in use tell what others do
-- expect: skipped error attempt to call global 'gcinfo'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message(tostring(gcinfo()))
  end,
}
