-- a hundred are too many in the second quote too
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 100 do re.match("a", "c" .. i) end
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
