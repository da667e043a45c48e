-- in the text of joining what is no text
-- expect: skipped error element 1 is no text
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    table.concat({ {} })
  end,
}
