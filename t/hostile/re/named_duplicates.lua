-- two groups of one name
-- expect: skipped error regular expression
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("ab", "(?<n>a)(?<n>b)")
  end,
}
