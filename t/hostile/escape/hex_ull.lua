-- and one in hexadecimal digits
-- expect: refused script_syntax
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local n = 0xffULL cart:message(tostring(n))
  end,
}
