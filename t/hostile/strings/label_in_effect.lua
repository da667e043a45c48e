-- … in an effect
-- expect: skipped error a text that is not UTF-8
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:effect { percent_off = 5, label = "a\0b" }
  end,
}
