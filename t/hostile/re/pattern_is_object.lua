-- an object as a pattern
-- expect: skipped error bad argument
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("a", cart)
  end,
}
