-- errors cost more than an instruction
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    while true do pcall(error, "x") end
  end,
}
