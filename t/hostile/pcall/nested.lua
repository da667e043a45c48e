-- pcall of pcall of pcall
-- expect: skipped error nested too deep
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function f(n) local ok, why = pcall(f, n + 1) if not ok then error(why, 0) end end f(1)
  end,
}
