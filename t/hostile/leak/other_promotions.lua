-- the other promotions of the book
-- expect: skipped error a cart has no 'promotions'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message(tostring(cart.promotions))
  end,
}
