-- new code, which no fence has looked at
-- expect: skipped error attempt to call global 'loadstring'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    loadstring("while true do end")()
  end,
}
