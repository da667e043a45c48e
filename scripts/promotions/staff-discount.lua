-- Staff get a percentage off everything but gift cards, less on what is reduced already.
return promotion {
  id = "staff-discount",
  name = "Staff discount",
  class = "line",
  settings = {
    percent = { type = "percent", default = 25, title = "Off full-price goods" },
    sale_percent = { type = "percent", default = 10, title = "Off reduced goods" },
  },
  when = { customer = { groups = { "staff" } } },
  apply = function(cart)
    local goods = cart:items { not_ = { category = { "gift-cards" } } }
    goods:where({ on_sale = false }):percent_off(cart.settings.percent, "Staff")
    goods:where({ on_sale = true }):percent_off(cart.settings.sale_percent, "Staff, reduced goods")
  end,
  cases = {
    {
      name = "full price, reduced, and a gift card",
      cart = { customer = { id = "c1", groups = { "staff" } }, lines = {
        { sku = "COAT", price = 10000 },
        { sku = "HAT", price = 3000, sale = 2000 },
        { sku = "CARD", price = 2500, categories = { "gift-cards" } },
      } },
      expect = { subtotal = 14500, discount = 2700, lines = { COAT = 2500, HAT = 200, CARD = 0 } },
    },
    {
      name = "not for others",
      cart = { lines = { { sku = "COAT", price = 10000 } } },
      expect = { discount = 0, reason = "customer" },
    },
  },
}
