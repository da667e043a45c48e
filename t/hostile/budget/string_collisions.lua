-- texts that differ only where their hash does not look
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 9000 do local x = "aaaaaaaaaaaa" .. (i + 1000) .. "aaaa" end
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
