-- a character that there is not
-- expect: refused script_syntax
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "\u{110000}"
  end,
}
