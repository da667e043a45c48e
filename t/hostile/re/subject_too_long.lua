-- a subject over four kilobytes
-- expect: skipped error a subject over 4096 bytes
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 12 do s = s .. s end re.match(s .. "a", "a")
  end,
}
