-- so do functions
-- expect: skipped error attempt to compare two function values
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local x = pairs < ipairs
  end,
}
