-- another environment for a function that all use
-- expect: skipped error attempt to call global 'setfenv'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    setfenv(tostring, { cart = cart })
  end,
}
