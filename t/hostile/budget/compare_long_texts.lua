-- comparing long texts is one instruction
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" for i = 1, 14 do s = s .. s end local a, b = s .. "a", s .. "b" while true do local x = a < b end
  end,
}
