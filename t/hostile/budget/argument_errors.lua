-- each error's text is put together
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    while true do pcall(cart.items, 1) end
  end,
}
