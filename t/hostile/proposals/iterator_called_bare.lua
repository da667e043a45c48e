-- the steps of walks called with what they do not expect
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local step = ipairs({}) step(cart, 1)
  end,
}
