-- an effect of another class
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:effect { shipping_off = 100 }
  end,
}
