-- a zero byte by its escape, told on
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message(json.decode('"a\\u0000b"') .. "")
  end,
}
