-- assert of nothing at all
-- expect: skipped error value expected
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    assert()
  end,
}
