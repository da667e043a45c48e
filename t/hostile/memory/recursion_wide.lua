-- calls with two hundred arguments
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function f(...) return 1 + f(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, ...) end f()
  end,
}
