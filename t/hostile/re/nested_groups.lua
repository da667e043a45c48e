-- groups nested beyond the limit
-- expect: skipped error regular expression
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("a", "((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))")
  end,
}
