-- an empty pattern in an empty subject
-- expect: discount 500
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    assert(re.match("", "") == "") assert(re.find("", "") == 1)
    cart:items { sku = { "BOOT" } }:percent_off(5)
  end,
}
