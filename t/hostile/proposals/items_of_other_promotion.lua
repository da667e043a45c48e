-- a selection of all goods takes nothing from others' claims
-- expect: discount *
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart:items():percent_off(1, "everything")
  end,
}
