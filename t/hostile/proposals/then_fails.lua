-- proposes everything, and then fails: nothing of it counts
-- expect: skipped error boom
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():percent_off(100) error("boom")
  end,
}
