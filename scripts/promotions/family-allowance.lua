-- The family of those who work here buys cheaper, up to an allowance a month.
return promotion {
  id = "family-allowance",
  name = "Family of our staff",
  class = "order",
  settings = {
    percent = { type = "percent", default = 20, title = "Off" },
    allowance = { type = "amount", default = 10000, min = 1, title = "Discount for a customer in a month" },
    groups = { type = "list", default = { "staff-family" }, title = "Customer groups" },
  },
  when = { customer = { groups = setting "groups" } },
  limits = { { max = setting "allowance", of = "amount", per = "customer", window = "month" } },
  effects = {
    { percent_off = setting "percent", items = { not_ = { category = { "gift-cards" } } }, label = "Family" },
  },
  cases = {
    {
      name = "within the allowance, without the gift card",
      cart = { customer = { id = "c1", groups = { "staff-family" } }, lines = {
        { sku = "COAT", price = 12000 }, { sku = "CARD", price = 2500, categories = { "gift-cards" } },
      } },
      expect = { discount = 2400 },
    },
    {
      name = "no more than the allowance",
      cart = { customer = { id = "c1", groups = { "staff-family" } }, lines = { { sku = "SOFA", price = 60000 } } },
      expect = { discount = 10000 },
    },
    {
      name = "not for others",
      cart = { customer = { id = "c2", groups = { "silver" } }, lines = { { sku = "COAT", price = 12000 } } },
      expect = { discount = 0, reason = "customer" },
    },
  },
}
