-- forty such numbers in one call
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local f, n = string.format, 1e-308
    local verbs = "%.99f%.99f%.99f%.99f%.99f%.99f%.99f%.99f%.99f%.99f"
    while true do f(verbs .. verbs, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n, n) end
  end,
}
