-- A little off for paying by a tender that costs the shop less.
return promotion {
  id = "tender-discount",
  name = "Pay by bank and save",
  class = "order",
  settings = {
    tenders = { type = "list", default = { "bank" }, title = "Tenders" },
    percent = { type = "percent", default = 1.5, title = "Off the order" },
    most = { type = "amount", default = 1000, title = "At most" },
  },
  when = { tender = setting "tenders" },
  effects = {
    { percent_off = setting "percent", max_amount = setting "most" },
  },
  cases = {
    {
      name = "by bank",
      cart = { tenders = { "bank" }, lines = { { sku = "SOFA", price = 40000 } } },
      expect = { discount = 600, total = 39400 },
    },
    {
      name = "capped",
      cart = { tenders = { "bank" }, lines = { { sku = "SOFA", price = 400000 } } },
      expect = { discount = 1000 },
    },
    {
      name = "by card",
      cart = { tenders = { "card" }, lines = { { sku = "SOFA", price = 40000 } } },
      expect = { discount = 0, reason = "wrong_tender" },
    },
  },
}
