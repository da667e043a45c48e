-- an effect that there is not
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:effect { set_total = 1 }
  end,
}
