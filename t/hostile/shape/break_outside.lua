-- out of a loop that is none
-- expect: refused script_syntax
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    break
  end,
}
