-- bytes by extreme places
-- expect: discount 500 3
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(select("#", ("abc"):byte(-2^31, 2^31 - 1))))
  end,
}
