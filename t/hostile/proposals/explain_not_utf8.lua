-- a reason that is no UTF-8
-- expect: skipped error a text that is not UTF-8
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:explain("\255")
  end,
}
