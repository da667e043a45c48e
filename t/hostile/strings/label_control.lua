-- line feeds and escapes in a label
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5, "a\nb\27[31m\r\tc\127")
  end,
}
