-- a host function has no locals to be had
-- expect: skipped error attempt to index global 'debug'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local _, f = debug.getupvalue(pairs, 1) f()
  end,
}
