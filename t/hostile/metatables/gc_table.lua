-- a finalizer on a table
-- expect: skipped error attempt to call global 'setmetatable'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    setmetatable({}, { __gc = function() while true do end end })
  end,
}
