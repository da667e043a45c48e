-- a thousand times as many as may be
-- expect: discount 0
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 1000 do cart:points(1000000000000) end
  end,
}
