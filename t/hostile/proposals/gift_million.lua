-- a million gifts
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:gift("TEE", 1e15)
  end,
}
