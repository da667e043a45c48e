-- so many filters that what is kept of them would make the second quote cheaper
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "" for i = 1, 19 do s = s .. "0123456789" end
    for i = 1, 64 do cart:items { sku = { s .. i, s .. "b", s .. "c", s .. "d", s .. "e", s .. "f", s .. "g", s .. "h" } } end
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
