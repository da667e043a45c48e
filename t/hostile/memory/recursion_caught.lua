-- the end of the stack caught, and gone on with
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function f() return 1 + f() end
    while true do pcall(f) end
  end,
}
