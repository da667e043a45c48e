-- more groups than are given back
-- expect: skipped error more than 16 groups
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("a", "()()()()()()()()()()()()()()()()()()a")
  end,
}
