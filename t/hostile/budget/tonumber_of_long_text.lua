-- the same by the host
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s, t = "1", tonumber for i = 1, 11 do s = s .. s end while true do t(s) end
  end,
}
