-- an error that says it comes from nowhere
-- expect: skipped error lost
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    error("lost", 1e9)
  end,
}
