-- … by hexadecimal digits of a number
-- expect: skipped error a verb that is not one of
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.format("%a", 0.1)
  end,
}
