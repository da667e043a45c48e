-- a call within a call
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function f() return 1 + f() end f()
  end,
}
