-- the environment's own metatable
-- expect: skipped error attempt to call global 'getmetatable'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    getmetatable(_G).__newindex = nil
  end,
}
