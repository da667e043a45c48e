-- a lookbehind at each place
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 12 do s = s .. s end s = s:sub(1, 4000)
    for i = 1, 30 do pcall(re.match, s, "(?<=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab)x|(?<!a{200}b)y") end
  end,
}
