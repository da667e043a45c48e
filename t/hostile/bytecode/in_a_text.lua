-- a text that is bytecode, with nothing to load it by
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local code = "\27LJ\2\2" assert(#code == 5 and load == nil and loadstring == nil)
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
