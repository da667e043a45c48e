-- a method of all selections replaced
-- expect: skipped error this selection is read-only
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = cart:items() s.percent_off = nil
  end,
}
