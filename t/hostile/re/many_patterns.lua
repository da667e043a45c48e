-- a pattern of its own for each number
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 1e6 do re.match("a", "b" .. i) end
  end,
}
