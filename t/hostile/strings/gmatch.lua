-- Lua's patterns
-- expect: skipped error attempt to call field 'gmatch'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for w in string.gmatch("a b", "%a") do end
  end,
}
