-- what the shop says of the cart, changed
-- expect: skipped error this table is read-only
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart.attributes.note = "owned"
  end,
}
