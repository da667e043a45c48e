-- Whoever can wait for the parcel collects points for it.
return promotion {
  id = "no-rush",
  name = "No rush",
  class = "shipping",
  settings = {
    methods = { type = "list", default = { "no-rush" }, title = "Shipping methods that take their time" },
    points = { type = "integer", default = 50, min = 1, max = 100000, title = "Points for waiting" },
  },
  when = { all = { { fulfilment = { "ship" } }, { customer = { known = true } } } },
  apply = function(cart)
    local chosen = cart.shipping and cart.shipping.method
    for _, method in ipairs(cart.settings.methods) do
      if method == chosen then
        cart:points(cart.settings.points, "Thank you for waiting")
        return
      end
    end
    cart:message("Choose a slower delivery and collect " .. cart.settings.points .. " points")
  end,
  cases = {
    {
      name = "waits",
      cart = {
        customer = { id = "c1" }, fulfilment = "ship", shipping = { method = "no-rush", amount = 0 },
        lines = { { sku = "MUG", price = 3000 } },
      },
      expect = { discount = 0, points = 80 },
    },
    {
      name = "does not",
      cart = {
        customer = { id = "c1" }, fulfilment = "ship", shipping = { method = "express", amount = 0 },
        lines = { { sku = "MUG", price = 3000 } },
      },
      expect = { points = 30, messages = { "Choose a slower delivery and collect 50 points" } },
    },
  },
}
