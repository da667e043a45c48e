-- a subtotal of the script's own
-- expect: skipped error this cart is read-only
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart.subtotal = 1
  end,
}
