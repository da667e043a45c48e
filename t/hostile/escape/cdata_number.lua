-- a literal of 64 bits loads the FFI behind everybody's back
-- expect: refused script_syntax
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local n = 42LL
    cart:message(tostring(n))
  end,
}
