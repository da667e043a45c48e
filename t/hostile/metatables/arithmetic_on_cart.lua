-- arithmetic on an object of the host
-- expect: skipped error attempt to perform arithmetic
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local x = cart + 1
  end,
}
