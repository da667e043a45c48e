-- a number beyond all
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local v = json.decode("[1e400,-1e400,1e-400,123456789012345678901234567890]")
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
