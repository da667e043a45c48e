-- A flash sale: two hours, the first hundred orders, two pieces to an order.
return promotion {
  id = "flash-sale",
  name = "Flash sale",
  class = "line",
  settings = {
    from = { type = "text", default = "2035-03-04T18:00:00", title = "Starts, by the retailer's clock" },
    until_ = { type = "text", default = "2035-03-04T20:00:00", title = "Ends" },
    items = { type = "filter", default = { tag = { "flash" } }, title = "What is sold" },
    percent = { type = "percent", default = 40, title = "Off" },
    orders = { type = "integer", default = 100, min = 1, title = "For the first so many orders" },
    pieces = { type = "integer", default = 2, min = 1, title = "Pieces in an order" },
  },
  active = { from = setting "from", until_ = setting "until_" },
  limits = { { max = setting "orders", of = "orders", per = "all" } },
  effects = {
    { percent_off = setting "percent", items = setting "items", max_units = setting "pieces", label = "Flash sale" },
  },
  cases = {
    {
      name = "two of three",
      cart = { at = "2035-03-04T18:00:00", lines = { { sku = "DRONE", price = 10000, quantity = 3, tags = { "flash" } } } },
      expect = { subtotal = 30000, discount = 8000 },
    },
    {
      name = "a second too early",
      cart = { at = "2035-03-04T17:59:59", lines = { { sku = "DRONE", price = 10000, tags = { "flash" } } } },
      expect = { discount = 0, reason = "not_started" },
    },
    {
      name = "over",
      cart = { at = "2035-03-04T20:00:00", lines = { { sku = "DRONE", price = 10000, tags = { "flash" } } } },
      expect = { discount = 0, reason = "ended" },
    },
  },
}
