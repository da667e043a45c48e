-- a field written past the cart's own refusal
-- expect: skipped error attempt to call global 'rawset'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    rawset(cart, "subtotal", 0)
  end,
}
