-- forty long texts joined by one instruction
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" for i = 1, 14 do s = s .. s end
    local t = s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s .. s
  end,
}
