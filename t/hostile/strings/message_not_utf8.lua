-- a text that is no UTF-8
-- expect: skipped error a text that is not UTF-8
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message("\255\254")
  end,
}
