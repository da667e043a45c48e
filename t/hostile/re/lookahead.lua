-- lookaheads in lookaheads
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 10 do s = s .. s end for i = 1, 60 do pcall(re.match, s, "(?=(?=(?=a*b)|a*c)|a*d)e|(?=.*?f)(?=.*?g)h") end
  end,
}
