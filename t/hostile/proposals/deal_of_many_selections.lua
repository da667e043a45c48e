-- a deal with more selections than it has room for
-- expect: skipped error too many selections
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s, parts = cart:items(), {} for i = 1, 40 do parts[i] = { items = s, quantity = 1 } end
    cart:deal { buy = parts, get = { { items = s, quantity = 1, percent_off = 100 } } }
  end,
}
