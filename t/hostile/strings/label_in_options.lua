-- … in a table of options
-- expect: skipped error a text that is not UTF-8
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():amount_off(5, nil, { label = "\255" })
  end,
}
