-- … by a method
-- expect: skipped error attempt to call method 'rep'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    ("x"):rep(1e9)
  end,
}
