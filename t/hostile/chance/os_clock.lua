-- processor time, to see what others do
-- expect: skipped error attempt to index global 'os'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = os.clock()
  end,
}
