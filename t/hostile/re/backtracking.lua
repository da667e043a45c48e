-- the oldest bomb
-- expect: skipped error takes too long
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", "^(a+)+$")
  end,
}
