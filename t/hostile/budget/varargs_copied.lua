-- one instruction copies all arguments
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function f(...) while true do select("#", ...) select("#", ...) end end
    local function g(n, ...) if n == 0 then return f(...) end return g(n - 1, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, ...) end g(60)
  end,
}
