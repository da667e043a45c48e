-- the time is the request's, to the second
-- expect: discount 500 2026-06-01 12
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(cart.at.date .. " " .. cart.at.hour)
  end,
}
