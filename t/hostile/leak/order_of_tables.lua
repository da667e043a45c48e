-- tables compared lie in memory one behind the other
-- expect: skipped error attempt to compare two table values
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local x = {} < {}
  end,
}
