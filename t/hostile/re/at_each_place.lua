-- PCRE2's limit begins anew at each place of the subject: a match under it took milliseconds
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "" for i = 1, 60 do s = s .. "a" end for i = 1, 600 do pcall(re.match, s, "(?:a|a){11}[bc]") end
  end,
}
