-- a pattern that sets its own limits
-- expect: skipped error takes too long
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    re.match("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "(*LIMIT_MATCH=4000000000)(*LIMIT_DEPTH=4000000000)(*LIMIT_HEAP=4000000000)(a|a)*[bc]")
  end,
}
