-- a text that does not end
-- expect: refused script_syntax
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "abc
  end,
}
