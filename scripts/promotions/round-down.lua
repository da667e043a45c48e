-- No small change: a basket paid in cash that no line discount has touched is rounded down to whole pounds.
return promotion {
  id = "round-down",
  name = "No small change",
  class = "order",
  settings = {
    to = { type = "amount", default = 100, min = 2, title = "Round down to a multiple of" },
    tenders = { type = "list", default = { "cash" }, title = "Tenders" },
  },
  when = { tender = setting "tenders" },
  apply = function(cart)
    cart:amount_off(cart.subtotal % cart.settings.to, "Rounded down", {
      when = { subtotal = { min = cart.subtotal }, after = "line" },
    })
  end,
  cases = {
    {
      name = "18.11 in cash",
      cart = { tenders = { "cash" }, lines = { { sku = "MUG", price = 1234 }, { sku = "JAM", price = 577 } } },
      expect = { subtotal = 1811, discount = 11, total = 1800 },
    },
    {
      name = "by card",
      cart = { tenders = { "card" }, lines = { { sku = "MUG", price = 1234 } } },
      expect = { discount = 0, reason = "wrong_tender" },
    },
    {
      name = "not after a discount by hand",
      cart = { tenders = { "cash" }, lines = {
        { sku = "MUG", price = 1234, discount = { amount = 100, reason = "a chip in the glaze" } },
      } },
      expect = { discount = 100, total = 1134 },
    },
  },
}
