-- reaches for the FFI, which calls any C function
-- expect: skipped error attempt to index global 'ffi'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    ffi.cdef("int getpid(void);") cart:message(tostring(ffi.C.getpid()))
  end,
}
