-- a large table with nothing left in it costs next more than it says
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 8193 do t[i * 65536 + 0.5] = i end for i = 1, 8192 do t[i * 65536 + 0.5] = nil end
    local n = next while true do n(t) end
  end,
}
