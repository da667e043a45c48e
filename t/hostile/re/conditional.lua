-- conditions on groups that are not there
-- expect: skipped error regular expression
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("a", "(?(99)a|b)")
  end,
}
