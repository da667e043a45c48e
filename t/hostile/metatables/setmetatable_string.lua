-- another metatable for texts
-- expect: skipped error attempt to call global 'setmetatable'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    setmetatable("", { __index = cart })
  end,
}
