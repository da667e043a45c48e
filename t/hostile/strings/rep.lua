-- a text repeated a billion times
-- expect: skipped error attempt to call field 'rep'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.rep("x", 1e9)
  end,
}
