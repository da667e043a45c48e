-- an object of the host called as a function
-- expect: skipped error attempt to call
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart("x")
  end,
}
