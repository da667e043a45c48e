-- tables as names stand by their address
-- expect: skipped error can be walked
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for k in pairs({ [{}] = 1, [{}] = 2 }) do end
  end,
}
