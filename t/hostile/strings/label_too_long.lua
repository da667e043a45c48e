-- a label of a kilobyte
-- expect: skipped error a text over 200 bytes
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" for i = 1, 10 do s = s .. s end cart:items():percent_off(5, s)
  end,
}
