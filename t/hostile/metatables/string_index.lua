-- the metatable of texts is shared by all
-- expect: skipped error attempt to call global 'getmetatable'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    getmetatable("").__index.upper = function() return "owned" end
  end,
}
