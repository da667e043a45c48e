-- a zero byte, which no database takes
-- expect: skipped error a text that is not UTF-8, or with a zero byte
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:message("a\0b")
  end,
}
