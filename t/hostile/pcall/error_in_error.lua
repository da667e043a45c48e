-- an error in making an error
-- expect: skipped error attempt to
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    error(error(nil .. "x"))
  end,
}
