-- marks that turn the direction of writing
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5, "\u{202e}\u{2066}free\u{feff}")
  end,
}
