-- a third of a gift
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:gift("TEE", 1 / 3)
  end,
}
