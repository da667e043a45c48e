-- A further cut on what is reduced already, from two pieces on, as far as the margin allows.
return promotion {
  id = "extra-off-sale",
  name = "Extra off the sale",
  class = "line",
  settings = {
    pieces = { type = "quantity", default = 2, min = 1, title = "From so many reduced pieces" },
    percent = { type = "percent", default = 20, title = "Off their reduced prices" },
    margin = { type = "percent", default = 10, max = 99, title = "Margin that must be left" },
  },
  when = { items = { on_sale = true }, quantity = { min = setting "pieces" } },
  floor = { margin_percent = setting "margin" },
  effects = { { percent_off = setting "percent", items = { on_sale = true }, label = "Extra off the sale" } },
  cases = {
    {
      name = "the top is near its cost: 1700 / 0.9 is the least it goes for",
      cart = { lines = {
        { sku = "JEANS", price = 6000, sale = 4000, cost = 1500 },
        { sku = "TOP", price = 3000, sale = 2000, cost = 1700 },
        { sku = "BELT", price = 1500, cost = 500 },
      } },
      expect = { discount = 911, lines = { JEANS = 800, TOP = 111, BELT = 0 } },
    },
    {
      name = "one reduced piece",
      cart = { lines = {
        { sku = "JEANS", price = 6000, sale = 4000, cost = 1500 }, { sku = "BELT", price = 1500, cost = 500 },
      } },
      expect = { discount = 0, reason = "condition" },
    },
  },
}
