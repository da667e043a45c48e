-- the host's objects as names likewise
-- expect: skipped error can be walked
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for k in pairs({ [cart] = 1, [json.null] = 2 }) do end
  end,
}
