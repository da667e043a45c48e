-- … by taking something out
-- expect: skipped error table expected
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    table.remove(math, 1)
  end,
}
