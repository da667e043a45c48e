-- the same by a method of any text
-- expect: skipped error attempt to call method 'dump'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    ("x"):dump()
  end,
}
