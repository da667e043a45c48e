-- a label that is none
-- expect: skipped error a text that is not UTF-8
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():percent_off(5, "\255")
  end,
}
