-- … by sorting it
-- expect: skipped error table expected
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    table.sort(table)
  end,
}
