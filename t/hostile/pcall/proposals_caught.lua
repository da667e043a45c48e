-- one proposal too many, caught
-- expect: skipped proposals
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 2000 do pcall(cart.message, cart, "x") end
  end,
}
