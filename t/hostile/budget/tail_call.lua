-- a call that takes no stack
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function f() return f() end f()
  end,
}
