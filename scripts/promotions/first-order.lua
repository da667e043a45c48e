-- A welcome for the first order of a known customer.
return promotion {
  id = "first-order",
  name = "Welcome: money off the first order",
  class = "order",
  settings = {
    off = { type = "amount", default = 1000, title = "Off the order" },
    spend = { type = "amount", default = 4000, title = "From this much" },
  },
  eligible = function(cart)
    return cart.customer and cart.customer.orders == 0
  end,
  apply = function(cart)
    local short = cart.settings.spend - cart.subtotal
    if short > 0 then
      cart:explain { reason = "condition", missing = { amount = short } }
      return
    end
    cart:amount_off(cart.settings.off, "Welcome")
  end,
  cases = {
    {
      name = "the first order",
      cart = { customer = { id = "c1", orders = 0 }, lines = { { sku = "SHIRT", price = 4900 } } },
      expect = { discount = 1000, total = 3900 },
    },
    {
      name = "the second is no first",
      cart = { customer = { id = "c1", orders = 1 }, lines = { { sku = "SHIRT", price = 4900 } } },
      expect = { discount = 0 },
    },
    {
      name = "a little short",
      cart = { customer = { id = "c1", orders = 0 }, lines = { { sku = "MUG", price = 3500 } } },
      expect = { discount = 0, missing = { amount = 500 } },
    },
  },
}
