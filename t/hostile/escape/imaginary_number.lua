-- so does an imaginary one
-- expect: refused script_syntax
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local n = 3i cart:message(tostring(n))
  end,
}
