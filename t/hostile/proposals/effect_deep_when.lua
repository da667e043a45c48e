-- conditions nested to the brim
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local when = { subtotal = { min = 1 } } for i = 1, 40 do when = { all = { when } } end
    cart:effect { percent_off = 5, when = when }
  end,
}
