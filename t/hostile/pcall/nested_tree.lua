-- each calls itself twice, caught
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function f() pcall(f) pcall(f) end f()
  end,
}
