-- a number that is none
-- expect: refused script_syntax
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local n = 1e+
  end,
}
