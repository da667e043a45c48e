-- numbers of four hundred digits
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    while true do local a = string.format("%.99f%.99f%.99f%.99f", 1e308, 1e308, 1e308, 1e308) end
  end,
}
