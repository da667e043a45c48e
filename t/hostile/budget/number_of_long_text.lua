-- a number is read out of four thousand digits, in one instruction
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "1" for i = 1, 11 do s = s .. s end while true do local n = s + 0 end
  end,
}
