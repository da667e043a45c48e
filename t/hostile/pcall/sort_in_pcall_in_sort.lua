-- callbacks and catches by turns
-- expect: discount 0
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function f() pcall(table.sort, { 2, 1 }, f) return false end f()
  end,
}
