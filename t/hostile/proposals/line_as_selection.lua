-- a line is a selection of itself
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for l in cart:items { sku = { "BOOT" } }:each() do l:percent_off(5) end
  end,
}
