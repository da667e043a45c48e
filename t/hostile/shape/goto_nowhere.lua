-- a label that is not there
-- expect: refused script_syntax
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    goto nowhere
  end,
}
