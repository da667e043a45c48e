-- … or the shipping
-- expect: skipped error needs a promotion of class "shipping"
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:shipping_off()
  end,
}
