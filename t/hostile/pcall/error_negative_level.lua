-- … or from before the beginning
-- expect: skipped error lost
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    error("lost", -2^31)
  end,
}
