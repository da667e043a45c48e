-- The first units of a special are cheap, every further one costs what it always does.
return promotion {
  id = "first-units-price",
  name = "The first two at a special price",
  class = "line",
  settings = {
    items = { type = "filter", default = { sku = { "SUGAR" } }, title = "The special" },
    price = { type = "amount", default = 79, title = "Its price" },
    units = { type = "integer", default = 2, min = 1, max = 1000, title = "For so many in an order" },
  },
  effects = {
    { items = setting "items", unit_price = setting "price", max_units = setting "units", label = "Special price" },
  },
  cases = {
    {
      name = "two of five",
      cart = { lines = { { sku = "SUGAR", price = 100, quantity = 5 } } },
      expect = { discount = 42, total = 458 },
    },
    {
      name = "a sale price that is lower stays",
      cart = { lines = { { sku = "SUGAR", price = 100, sale = 75 } } },
      expect = { discount = 0, total = 75 },
    },
    {
      name = "nothing else is special",
      cart = { lines = { { sku = "SALT", price = 100, quantity = 2 } } },
      expect = { discount = 0 },
    },
  },
}
