-- a line's promotion that lowers the order
-- expect: skipped error needs a promotion of class "order"
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:percent_off(50)
  end,
}
