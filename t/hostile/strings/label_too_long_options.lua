-- … with options: as long as a document's may be
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" for i = 1, 10 do s = s .. s end cart:items { sku = { "BOOT" } }:percent_off(5, s, { when = { subtotal = { min = 1 } } })
  end,
}
