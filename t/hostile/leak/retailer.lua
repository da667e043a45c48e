-- which retailer it is
-- expect: skipped error a cart has no 'retailer'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message(tostring(cart.retailer))
  end,
}
