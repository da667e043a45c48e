-- joins at the last place there is
-- expect: discount 500 x
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = { [2147483647] = "x" } cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(table.concat(t, "", 2147483647, 2147483647))
  end,
}
