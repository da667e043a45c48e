-- an object to read
-- expect: skipped error string expected
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    json.decode(cart)
  end,
}
