-- Cut to order: so much less a kilo on every piece that weighs enough.
return promotion {
  id = "weigh-and-save",
  name = "Cheaper by the large piece",
  class = "line",
  settings = {
    items = { type = "filter", default = { category = { "cheese-counter" } }, title = "What is cut" },
    off = { type = "amount", default = 300, title = "Off a kilo" },
    least = { type = "quantity", default = 0.5, title = "From this weight on, in kilos" },
  },
  apply = function(cart)
    local s = cart.settings
    cart:items(s.items)
      :where(function(line) return line.measured and line.quantity >= s.least end)
      :amount_off(s.off, "A large piece", "unit")
  end,
  cases = {
    {
      name = "three quarters of a kilo",
      cart = { lines = { { sku = "CHEDDAR", price = 1600, quantity = 0.75, unit = "kg", categories = { "cheese-counter" } } } },
      expect = { subtotal = 1200, discount = 225, total = 975 },
    },
    {
      name = "two small pieces are no large one",
      cart = { lines = {
        { sku = "CHEDDAR", price = 1600, quantity = 0.49, unit = "kg", categories = { "cheese-counter" } },
        { sku = "CHEDDAR", price = 1600, quantity = 0.25, unit = "kg", categories = { "cheese-counter" } },
        { sku = "CRACKERS", price = 200, quantity = 3, categories = { "cheese-counter" } },
      } },
      expect = { discount = 0 },
    },
  },
}
