-- a gift without a name
-- expect: skipped error string expected
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:gift(nil, 1)
  end,
}
