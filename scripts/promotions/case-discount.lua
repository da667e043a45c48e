-- Wine by the case: every full six bottles, mixed as one likes, are cheaper; bottles beyond them are not.
return promotion {
  id = "case-discount",
  name = "A case of wine",
  class = "line",
  settings = {
    items = { type = "filter", default = { category = { "wine" } }, title = "What goes into a case" },
    bottles = { type = "integer", default = 6, min = 2, max = 48, title = "Bottles in a case" },
    percent = { type = "percent", default = 10, title = "Off a full case" },
  },
  effects = {
    {
      bundle = { { items = setting "items", quantity = setting "bottles" } },
      percent_off = setting "percent", label = "By the case",
    },
  },
  cases = {
    {
      name = "eight bottles: the case takes the dearer ones",
      cart = { lines = {
        { sku = "RIOJA", price = 1000, quantity = 6, categories = { "wine" } },
        { sku = "CHABLIS", price = 1500, quantity = 2, categories = { "wine" } },
      } },
      expect = { subtotal = 9000, discount = 700, lines = { RIOJA = 400, CHABLIS = 300 } },
    },
    {
      name = "five are no case",
      cart = { lines = { { sku = "RIOJA", price = 1000, quantity = 5, categories = { "wine" } } } },
      expect = { discount = 0 },
    },
  },
}
