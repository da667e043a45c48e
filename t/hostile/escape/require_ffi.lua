-- loads the FFI as a module
-- expect: skipped error attempt to call global 'require'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local ffi = require("ffi") cart:message(tostring(ffi.os))
  end,
}
