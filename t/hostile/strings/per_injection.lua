-- a word that would become another member
-- expect: skipped error amount_off
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():amount_off(500, "x", 'unit","amount_off":900000,"label":"x')
  end,
}
