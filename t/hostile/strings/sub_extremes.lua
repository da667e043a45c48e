-- pieces by extreme places
-- expect: discount 500 0
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(("abc"):sub(-1e300, 1e300) .. #("abc"):sub(1e300, -1e300))
  end,
}
