-- Bring your own cup: so much off each hot drink that is poured into it.
return promotion {
  id = "reusable-cup",
  name = "Your own cup",
  class = "line",
  settings = {
    categories = { type = "list", default = { "hot-drinks" }, title = "Drinks that take part" },
    off = { type = "amount", default = 25, title = "Off each drink" },
  },
  when = { channel = { "pos" } },
  effects = {
    {
      items = { category = setting "categories", attribute = { cup = { "own" } } },
      amount_off = setting "off", per = "unit", label = "Your own cup",
    },
  },
  cases = {
    {
      name = "two of three drinks",
      cart = { channel = "pos", lines = {
        { sku = "LATTE", price = 350, quantity = 2, categories = { "hot-drinks" }, attributes = { cup = "own" } },
        { sku = "LATTE", price = 350, categories = { "hot-drinks" } },
      } },
      expect = { subtotal = 1050, discount = 50 },
    },
    {
      name = "a cold drink",
      cart = { channel = "pos", lines = { { sku = "COLA", price = 165, attributes = { cup = "own" } } } },
      expect = { discount = 0 },
    },
  },
}
