-- numbers are read and written without a locale
-- expect: discount 500 1.5 nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(1.5) .. " " .. tostring(tonumber("1,5")))
  end,
}
