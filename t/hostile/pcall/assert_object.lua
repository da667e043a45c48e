-- assert hands an object on
-- expect: skipped error an error that is not text
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    assert(false, {})
  end,
}
