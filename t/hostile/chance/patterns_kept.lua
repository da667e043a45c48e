-- eighty-eight patterns, compiled once or anew: charged alike
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 88 do re.match("a", "b" .. i) end
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
