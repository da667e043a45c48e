-- Members collect double points on their chosen weekday.
return promotion {
  id = "double-points",
  name = "Double points",
  class = "order",
  settings = {
    weekday = {
      type = "choice", default = "wed", values = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" },
      title = "The weekday",
    },
    times = { type = "integer", default = 2, min = 2, max = 10, title = "How many times the points" },
  },
  when = { customer = { known = true } },
  apply = function(cart)
    if cart.at.weekday ~= cart.settings.weekday then
      cart:explain("outside_hours")
      return
    end
    cart:points { multiply = cart.settings.times }
  end,
  cases = {
    {
      name = "on a Wednesday",
      cart = { at = "2026-11-25T10:00:00", customer = { id = "c1" }, lines = { { sku = "SHIRT", price = 5000 } } },
      expect = { discount = 0, points = 100 },
    },
    {
      name = "on a Thursday",
      cart = { at = "2026-11-26T10:00:00", customer = { id = "c1" }, lines = { { sku = "SHIRT", price = 5000 } } },
      expect = { points = 50 },
    },
  },
}
