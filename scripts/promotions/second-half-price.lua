-- Buy two, the second (cheaper) one is half price.
return promotion {
  id = "second-half-price",
  name = "Second one half price",
  class = "line",
  settings = {
    categories = { type = "list", default = { "shoes" }, title = "Categories that take part" },
    percent = { type = "percent", default = 50, title = "Off the cheaper one of each pair" },
  },
  effects = {
    {
      nth = { items = { category = setting "categories" }, group = 2, position = 2, percent_off = setting "percent" },
      order = "priciest",
    },
  },
  cases = {
    {
      name = "two pairs: the cheaper one at half price",
      cart = { lines = {
        { sku = "BOOT", price = 9000, categories = { "shoes" } },
        { sku = "SANDAL", price = 5000, categories = { "shoes" } },
      } },
      expect = { subtotal = 14000, discount = 2500, total = 11500, lines = { SANDAL = 2500 } },
    },
    {
      name = "one pair is not enough",
      cart = { lines = { { sku = "BOOT", price = 9000, categories = { "shoes" } } } },
      expect = { discount = 0 },
    },
  },
}
