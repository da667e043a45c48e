-- a thousand alternatives
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local any = {} for i = 1, 1000 do any[i] = { subtotal = { min = i } } end
    for i = 1, 1000 do cart:effect { percent_off = 5, label = "x" .. i, when = { any = any } } end
  end,
}
