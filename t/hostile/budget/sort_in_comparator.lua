-- a comparator that sorts
-- expect: skipped error nested too deep
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function less(a, b) table.sort({ 2, 1 }, less) return a < b end table.sort({ 2, 1 }, less)
  end,
}
