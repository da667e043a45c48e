-- what is behind a view
-- expect: skipped error attempt to call global 'rawget'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    rawget(cart.customer, "id")
  end,
}
