-- an error in setting a global is caught, and the global is not there
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local ok = pcall(function() leaked = cart end)
    assert(not ok and leaked == nil)
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
