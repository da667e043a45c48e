-- \C, which reads half a character
-- expect: skipped error regular expression
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("\u{e9}", "\\C\\C")
  end,
}
