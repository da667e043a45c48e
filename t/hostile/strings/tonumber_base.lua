-- bases that there are not
-- expect: skipped error base out of range
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    tonumber("10", 2^31)
  end,
}
