-- a text too long, caught
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" for i = 1, 20 do pcall(function() s = s .. s end) end cart:items():percent_off(50)
  end,
}
