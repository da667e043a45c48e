-- A code that goes with nothing else: off goods at their full price that no other promotion touches, up to a cap.
return promotion {
  id = "no-stack-code",
  name = "20 % with your code",
  class = "order",
  coupon = true,
  stacking = "exclusive",
  settings = {
    percent = { type = "percent", default = 20, title = "Off" },
    most = { type = "amount", default = 1500, title = "At most" },
  },
  limits = { { max = 1, of = "orders", per = "customer" } },
  effects = {
    { percent_off = setting "percent", items = { on_sale = false }, max_amount = setting "most", label = "Your code" },
  },
  cases = {
    {
      name = "a reduced hat is left out",
      cart = { customer = { id = "c1" }, coupons = { "TWENTY" }, lines = {
        { sku = "SHIRT", price = 5000 }, { sku = "HAT", price = 3000, sale = 2000 },
      } },
      expect = { discount = 1000, lines = { SHIRT = 1000, HAT = 0 } },
    },
    {
      name = "capped",
      cart = { customer = { id = "c1" }, coupons = { "TWENTY" }, lines = { { sku = "COAT", price = 10000 } } },
      expect = { discount = 1500 },
    },
    {
      name = "without the code",
      cart = { customer = { id = "c1" }, lines = { { sku = "COAT", price = 10000 } } },
      expect = { discount = 0, reason = "needs_coupon" },
    },
  },
}
