-- more bytes than a stack has room for
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 15 do s = s .. s end local t = { s:byte(1, -1) } cart:message(tostring(#t))
  end,
}
