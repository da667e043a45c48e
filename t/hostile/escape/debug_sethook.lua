-- takes the sandbox's hook away
-- expect: skipped error attempt to index global 'debug'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    debug.sethook() while true do end
  end,
}
