-- messages without an end
-- expect: skipped proposals
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    while true do cart:message("x") end
  end,
}
