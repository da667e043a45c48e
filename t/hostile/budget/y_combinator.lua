-- recursion without a name
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function w(f) return f(f) end w(w)
  end,
}
