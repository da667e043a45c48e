-- the end of the stack caught
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function f() return 1 + f() end pcall(f) cart:items():percent_off(50)
  end,
}
