-- a place in a library to keep things in
-- expect: skipped error this table is read-only
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    math.kept = (math.kept or 0) + 1
  end,
}
