-- the C library's slowest powers
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local p = math.pow while true do p(1.0000000001, 1e300) end
  end,
}
