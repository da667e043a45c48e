-- A brand pays for it: spend so much on the brand and its goods are cheaper, while its budget of the month lasts.
return promotion {
  id = "brand-spend",
  name = "A fifth off the brand from 100.00",
  class = "line",
  settings = {
    brands = { type = "list", default = { "Northpeak" }, title = "Brands that take part" },
    spend = { type = "amount", default = 10000, title = "Spend on them from which it counts" },
    percent = { type = "percent", default = 20, title = "Off their goods" },
    budget = { type = "amount", default = 1000000, min = 1, title = "What the brand pays for in a month" },
  },
  when = { items = { brand = setting "brands" }, amount = { min = setting "spend" } },
  limits = { { max = setting "budget", of = "amount", per = "all", window = "month" } },
  effects = { { percent_off = setting "percent", items = { brand = setting "brands" } } },
  cases = {
    {
      name = "105.00 of the brand",
      cart = { lines = {
        { sku = "JACKET", price = 9000, brand = "Northpeak" },
        { sku = "CAP", price = 1500, brand = "Northpeak" },
        { sku = "SOCKS", price = 800, brand = "Cairn" },
      } },
      expect = { discount = 2100, lines = { JACKET = 1800, CAP = 300, SOCKS = 0 } },
    },
    {
      name = "other brands do not count",
      cart = { lines = {
        { sku = "JACKET", price = 9000, brand = "Northpeak" },
        { sku = "SOCKS", price = 2000, brand = "Cairn" },
      } },
      expect = { discount = 0, reason = "condition" },
    },
    {
      name = "more than is left of the budget",
      settings = { budget = 1000 },
      cart = { lines = { { sku = "JACKET", price = 10000, brand = "Northpeak" } } },
      expect = { discount = 1000 },
    },
  },
}
