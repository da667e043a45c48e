-- lines of single units are made anew
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = cart:items():cheapest(1) while true do for l in s:each() do end end
  end,
}
