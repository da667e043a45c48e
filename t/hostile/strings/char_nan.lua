-- a byte that is no number
-- expect: skipped error bad argument
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.char(0 / 0)
  end,
}
