-- … or runs away
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():percent_off(100) while true do end
  end,
}
