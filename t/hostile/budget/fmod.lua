-- remainders of numbers that lie far apart
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local f = math.fmod while true do f(1e308, 3e-308) end
  end,
}
