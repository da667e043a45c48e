-- methods of lines
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local l = cart:items():first() while true do l:is_in("shoes") end
  end,
}
