-- Delivery for members: gold pays nothing from a small basket on, silver a flat price, others what it costs.
return promotion {
  id = "member-shipping",
  name = "Members' delivery",
  class = "shipping",
  settings = {
    gold_from = { type = "amount", default = 1500, title = "Gold: free from this much" },
    silver_price = { type = "amount", default = 199, title = "Silver: price of a delivery" },
    methods = { type = "list", default = { "standard" }, title = "Methods" },
  },
  when = { customer = { groups = { "gold", "silver" } } },
  effects = {
    {
      percent_off = 100, methods = setting "methods", label = "Gold: delivery is free",
      when = { all = { { customer = { groups = { "gold" } } }, { subtotal = { min = setting "gold_from" } } } },
    },
    {
      price = setting "silver_price", methods = setting "methods", label = "Silver: delivery at a flat price",
      when = { customer = { groups = { "silver" } } },
    },
  },
  cases = {
    {
      name = "gold",
      cart = {
        customer = { id = "c1", groups = { "gold" } }, fulfilment = "ship", shipping = { method = "standard", amount = 495 },
        lines = { { sku = "MUG", price = 1500 } },
      },
      expect = { discount = 495, shipping_total = 0, total = 1500 },
    },
    {
      name = "gold with too little",
      cart = {
        customer = { id = "c1", groups = { "gold" } }, fulfilment = "ship", shipping = { method = "standard", amount = 495 },
        lines = { { sku = "MUG", price = 1499 } },
      },
      expect = { discount = 0, total = 1994 },
    },
    {
      name = "silver",
      cart = {
        customer = { id = "c1", groups = { "silver" } }, fulfilment = "ship", shipping = { method = "standard", amount = 495 },
        lines = { { sku = "MUG", price = 850 } },
      },
      expect = { discount = 296, shipping_total = 199 },
    },
    {
      name = "an express is not flat",
      cart = {
        customer = { id = "c1", groups = { "silver" } }, fulfilment = "ship", shipping = { method = "express", amount = 995 },
        lines = { { sku = "MUG", price = 850 } },
      },
      expect = { discount = 0, shipping_total = 995 },
    },
  },
}
