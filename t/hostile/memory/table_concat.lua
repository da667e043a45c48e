-- a list joined to more than a text may have
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 3000 do t[i] = "0123456789abcdef" end local s = table.concat(t)
  end,
}
