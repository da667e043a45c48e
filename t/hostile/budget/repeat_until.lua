-- one that ends when false is true
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    repeat local x = 1 until x == 2
  end,
}
