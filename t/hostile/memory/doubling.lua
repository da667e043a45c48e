-- a text doubled and doubled
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" while true do s = s .. s end
  end,
}
