-- functions made in a loop have locals of their own
-- expect: discount 500 1 2 3
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local f = {} for i = 1, 3 do f[i] = function() return i end end
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(f[1]() .. " " .. f[2]() .. " " .. f[3]())
  end,
}
