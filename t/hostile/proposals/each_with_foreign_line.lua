-- a walk that goes on from a line of another selection
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local all, some = cart:items(), cart:items { sku = { "BOOT" } }
    local step = all:each() local l = step(some, cart:items { sku = { "TEE" } }:first())
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
