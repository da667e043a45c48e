-- a precision of a million
-- expect: skipped error a width over 99
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.format("%.1000000f", 1)
  end,
}
