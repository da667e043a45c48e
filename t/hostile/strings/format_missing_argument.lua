-- fewer arguments than verbs
-- expect: skipped error bad argument
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.format("%d %d %d", 1)
  end,
}
