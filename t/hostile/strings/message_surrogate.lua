-- … of half a character
-- expect: skipped error a text that is not UTF-8
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message("\237\160\128")
  end,
}
