-- null within a filter
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items { sku = { json.null } }
  end,
}
