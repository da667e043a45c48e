-- a pattern over 256 bytes
-- expect: skipped error a pattern over 256 bytes
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 9 do s = s .. s end re.match("a", s)
  end,
}
