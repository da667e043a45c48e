-- Buy so many of one thing and get another one cheaper or free.
return promotion {
  id = "buy-x-get-y",
  name = "Buy two towels, a soap free",
  class = "line",
  settings = {
    buy = { type = "filter", default = { category = { "towels" } }, title = "What must be bought" },
    buy_quantity = { type = "integer", default = 2, min = 1, max = 100, title = "How many of it" },
    get = { type = "filter", default = { category = { "soap" } }, title = "What is then reduced" },
    get_quantity = { type = "integer", default = 1, min = 1, max = 100, title = "How many of it" },
    percent = { type = "percent", default = 100, title = "Off each of those" },
  },
  effects = {
    {
      buy = { { items = setting "buy", quantity = setting "buy_quantity" } },
      get = { { items = setting "get", quantity = setting "get_quantity", percent_off = setting "percent" } },
    },
  },
  cases = {
    {
      name = "two towels and two soaps: one soap free",
      cart = { lines = {
        { sku = "TOWEL", price = 2000, quantity = 2, categories = { "towels" } },
        { sku = "SOAP", price = 650, quantity = 2, categories = { "soap" } },
      } },
      expect = { discount = 650, total = 4650 },
    },
    {
      name = "half price instead, by a setting",
      settings = { percent = 50 },
      cart = { lines = {
        { sku = "TOWEL", price = 2000, quantity = 2, categories = { "towels" } },
        { sku = "SOAP", price = 650, categories = { "soap" } },
      } },
      expect = { discount = 325 },
    },
    {
      name = "one towel is too few",
      cart = { lines = {
        { sku = "TOWEL", price = 2000, categories = { "towels" } },
        { sku = "SOAP", price = 650, quantity = 2, categories = { "soap" } },
      } },
      expect = { discount = 0 },
    },
  },
}
