-- two that call each other
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local a, b function a(n) return b(n + 1) end function b(n) return a(n) end a(0)
  end,
}
