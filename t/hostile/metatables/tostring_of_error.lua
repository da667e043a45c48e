-- an error whose text is asked for behind the fence
-- expect: skipped error attempt to call global 'setmetatable'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    error(setmetatable({}, { __tostring = function() while true do end end }))
  end,
}
