-- … caught and tried again
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 11 do s = s .. s end while true do pcall(re.match, s, "(a*)*(a*)*b") end
  end,
}
