-- pcall as what is called
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    repeat pcall(pcall, pcall, pcall) until false
  end,
}
