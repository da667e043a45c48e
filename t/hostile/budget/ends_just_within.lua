-- ninety thousand instructions are within it
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 90000 do end
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
