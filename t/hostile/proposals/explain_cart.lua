-- the cart as what is missing
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:explain { missing = { a = cart } }
  end,
}
