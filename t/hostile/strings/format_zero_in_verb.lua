-- a zero byte in a verb
-- expect: skipped error a verb that is not one of
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.format("%\0d", 1)
  end,
}
