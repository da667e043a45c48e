-- a promotion made in a quote goes nowhere
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    promotion { id = "another", class = "line", effects = { { percent_off = 100 } } }
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
