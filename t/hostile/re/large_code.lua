-- repeats of repeats make sixty kilobytes of code
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for i = 1, 90 do pcall(re.match, "a", "(?:(?:abcdefgh" .. i .. "){30}){20}") end
  end,
}
