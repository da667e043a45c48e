-- there is nothing finer to tell two quotes by
-- expect: skipped error a time has no 'microsecond'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message(tostring(cart.at.microsecond))
  end,
}
