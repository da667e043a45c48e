-- a customer made staff
-- expect: skipped error this table is read-only
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    cart.customer.groups[2] = "vip"
  end,
}
