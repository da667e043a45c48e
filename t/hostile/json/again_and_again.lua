-- a short text without an end
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    while true do json.decode('{"a":[1,2,3],"b":{"c":null}}') end
  end,
}
