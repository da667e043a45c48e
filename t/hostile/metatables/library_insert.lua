-- the same behind the library's back
-- expect: skipped error table expected
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    table.insert(string, "owned")
  end,
}
