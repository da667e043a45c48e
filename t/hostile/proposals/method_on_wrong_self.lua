-- a method of selections for the cart
-- expect: skipped error a selection is expected
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = cart:items() s.quantity(cart)
  end,
}
