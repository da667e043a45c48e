-- long texts that differ in a number
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" for i = 1, 12 do s = s .. s end local t = {} for i = 1, 1e6 do t[i] = s .. i end
  end,
}
