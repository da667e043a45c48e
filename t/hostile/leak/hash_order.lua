-- names stand in byte order, not by a hash that begins with chance
-- expect: discount 500 a-b-c-long name-z
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = {} for k in pairs({ z = 1, c = 1, ["long name"] = 1, a = 1, b = 1 }) do s[#s + 1] = k end
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(table.concat(s, "-"))
  end,
}
