-- a method of all lines replaced
-- expect: skipped error this line is read-only
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():first().is_in = function() return true end
  end,
}
