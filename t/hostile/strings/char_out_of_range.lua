-- a byte that is none
-- expect: skipped error bad argument
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.char(256)
  end,
}
