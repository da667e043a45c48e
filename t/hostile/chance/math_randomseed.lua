-- chance that others would share
-- expect: skipped error attempt to call field 'randomseed'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    math.randomseed(1)
  end,
}
