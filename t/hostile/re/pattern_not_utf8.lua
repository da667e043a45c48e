-- a pattern that is none
-- expect: skipped error regular expression
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("a", "a\255")
  end,
}
