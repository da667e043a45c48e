-- arguments counted from beyond the end
-- expect: skipped error index out of range
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    select(-2^31, 1, 2)
  end,
}
