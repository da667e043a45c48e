-- names that mean something elsewhere
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local v = json.decode('{"__index":1,"__gc":2,"__proto__":{"x":1},"constructor":3,"apply":4}') assert(v.x == nil)
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
