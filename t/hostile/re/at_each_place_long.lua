-- … in a long subject
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 11 do s = s .. s end s = s .. s for i = 1, 20 do pcall(re.match, s, "(?:a|a){11}[bc]") end
  end,
}
