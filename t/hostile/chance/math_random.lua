-- chance
-- expect: skipped error attempt to call field 'random'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():percent_off(math.random(50))
  end,
}
