-- … or more than PCRE2 takes
-- expect: skipped error regular expression
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("a", "(?:(?:(?:a{1000}){1000}){1000}){1000}")
  end,
}
