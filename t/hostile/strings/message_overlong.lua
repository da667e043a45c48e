-- … in too many bytes
-- expect: skipped error a text that is not UTF-8
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message("\192\175etc")
  end,
}
