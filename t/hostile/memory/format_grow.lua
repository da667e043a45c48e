-- a text grown by format
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = string.format("%99d", 1) while true do s = string.format("%s%s", s, s) end
  end,
}
