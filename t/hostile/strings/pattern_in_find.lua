-- a pattern by find
-- expect: skipped error plain text
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaa"):find(".-.-.-.-.-.-b")
  end,
}
