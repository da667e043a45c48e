-- … joined by itself
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = { "x", "x", "x", "x" } local s = "x" while true do s = table.concat(t, s) end
  end,
}
