-- a walk through a text
-- expect: skipped error table expected
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i in ipairs("abc") do end
  end,
}
