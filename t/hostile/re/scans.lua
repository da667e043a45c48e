-- possessive repeats run along the subject without a step
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 12 do s = s .. s end s = s:sub(1, 4000)
    for i = 1, 20 do pcall(re.match, s, "a*+[bc]|a*+[cd]|a*+[de]|a*+[ef]|a*+[eg]|a*+[eh]|a*+[ej]") end
  end,
}
