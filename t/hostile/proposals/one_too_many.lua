-- one proposal more than there may be
-- expect: skipped proposals
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 1001 do cart:message("x") end
  end,
}
