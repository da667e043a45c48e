-- … and does nothing else
-- expect: skipped error regular expression
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("a", "(?R)")
  end,
}
