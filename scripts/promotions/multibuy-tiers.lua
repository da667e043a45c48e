-- Multibuy: the more of a range, mixed as one likes, the lower each price.
return promotion {
  id = "multibuy-tiers",
  name = "Mix and match: the more, the cheaper",
  class = "line",
  settings = {
    items = { type = "filter", default = { category = { "pantry" } }, title = "The range" },
    few = { type = "quantity", default = 3, min = 1, title = "A few" },
    few_percent = { type = "percent", default = 5, title = "Off each of a few" },
    more = { type = "quantity", default = 6, min = 1, title = "More" },
    more_percent = { type = "percent", default = 10, title = "Off each of more" },
    many = { type = "quantity", default = 12, min = 1, title = "Many" },
    many_percent = { type = "percent", default = 15, title = "Off each of many" },
  },
  effects = {
    {
      items = setting "items",
      count = "all",
      tiers = {
        { quantity = setting "few", percent_off = setting "few_percent" },
        { quantity = setting "more", percent_off = setting "more_percent" },
        { quantity = setting "many", percent_off = setting "many_percent" },
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
    {
      name = "two will do, by a setting",
      settings = { few = 2 },
      cart = { lines = { { sku = "TEA", price = 400, quantity = 2, categories = { "pantry" } } } },
      expect = { discount = 40 },
    },
  },
}
