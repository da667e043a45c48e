-- points a billion times over
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:points { multiply = 1e9 }
  end,
}
