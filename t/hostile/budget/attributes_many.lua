-- attributes are looked for one by one
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    while true do local x = cart.attributes.note end
  end,
}
