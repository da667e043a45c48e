-- as many as there may be
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { "BOOT" } }:percent_off(5) for i = 1, 999 do cart:message("x") end
  end,
}
