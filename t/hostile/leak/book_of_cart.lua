-- the book behind the cart
-- expect: skipped error a cart has no 'book'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message(tostring(cart.book))
  end,
}
