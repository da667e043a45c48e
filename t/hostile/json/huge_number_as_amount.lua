-- … given as an amount
-- expect: skipped error
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():amount_off(json.decode("1e400") or 1e400)
  end,
}
