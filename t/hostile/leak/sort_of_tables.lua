-- sorted, tables would stand by their address
-- expect: skipped error attempt to compare
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    table.sort({ {}, {} })
  end,
}
