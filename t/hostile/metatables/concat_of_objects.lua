-- a text of an object of the host
-- expect: skipped error attempt to concatenate
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message("at " .. cart.at)
  end,
}
