-- a set by find
-- expect: skipped error plain text
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    ("abc"):find("[a")
  end,
}
