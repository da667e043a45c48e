-- json.null is one object for all scripts
-- expect: skipped error null is read-only
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    json.null.owned = true
  end,
}
