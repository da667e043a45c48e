-- methods called with a dot
-- expect: skipped error call it with a colon
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart.items({})
  end,
}
