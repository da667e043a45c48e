-- Multibuy: the more of a range, mixed as one likes, the lower each price.
return promotion {
  id = "multibuy-tiers",
  name = "Mix and match: 3 for 5 %, 6 for 10 %, 12 for 15 % off",
  class = "line",
  settings = {
    items = { type = "filter", default = { category = { "pantry" } }, title = "The range" },
  },
  effects = {
    {
      items = setting "items",
      count = "all",
      tiers = {
        { quantity = 3, percent_off = 5 },
        { quantity = 6, percent_off = 10 },
        { quantity = 12, percent_off = 15 },
      },
    },
  },
  cases = {
    {
      name = "six, mixed",
      cart = { lines = {
        { sku = "TEA", price = 400, quantity = 4, categories = { "pantry" } },
        { sku = "JAM", price = 300, quantity = 2, categories = { "pantry" } },
      } },
      expect = { subtotal = 2200, discount = 220 },
    },
    {
      name = "two are too few",
      cart = { lines = { { sku = "TEA", price = 400, quantity = 2, categories = { "pantry" } } } },
      expect = { discount = 0 },
    },
  },
}
