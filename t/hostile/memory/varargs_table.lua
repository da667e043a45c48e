-- a table of all arguments, again and again
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function f(...) local t = {} while true do t[#t + 1] = { ... } end end
    f(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)
  end,
}
