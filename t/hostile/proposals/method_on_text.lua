-- … for a text
-- expect: skipped error a selection is expected
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = cart:items() s.percent_off("x", 5)
  end,
}
