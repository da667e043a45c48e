-- a pattern that calls itself
-- expect: skipped error takes too long
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "^(a(?1)?a?(?1)?)+[bc]$")
  end,
}
