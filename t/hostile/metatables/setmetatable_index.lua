-- a table that answers by a loop
-- expect: skipped error attempt to call global 'setmetatable'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = setmetatable({}, { __index = function(t, k) return t[k] end }) local x = t.a
  end,
}
