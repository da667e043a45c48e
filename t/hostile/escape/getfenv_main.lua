-- the environment of the host's functions
-- expect: skipped error attempt to call global 'getfenv'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local env = getfenv(0) env.pairs = nil
  end,
}
