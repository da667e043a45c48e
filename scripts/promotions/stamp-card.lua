-- A stamp for every order; the one that fills the card is cheaper.
return promotion {
  id = "stamp-card",
  name = "Stamp card",
  class = "order",
  settings = {
    stamps = { type = "integer", default = 10, min = 2, max = 100, title = "Orders that fill a card" },
    percent = { type = "percent", default = 20, title = "Off the order that fills it" },
    most = { type = "amount", default = 3000, title = "At most" },
  },
  eligible = function(cart)
    return cart.customer and cart.customer.orders ~= nil
  end,
  apply = function(cart)
    local s = cart.settings
    local stamp = cart.customer.orders % s.stamps + 1
    if stamp == s.stamps then
      cart:percent_off(s.percent, "Your card is full", { max_amount = s.most })
      return
    end
    cart:message("Stamp " .. stamp .. " of " .. s.stamps)
  end,
  cases = {
    {
      name = "the tenth order",
      cart = { customer = { id = "c1", orders = 9 }, lines = { { sku = "SHIRT", price = 4000 } } },
      expect = { discount = 800 },
    },
    {
      name = "the ninth",
      cart = { customer = { id = "c1", orders = 8 }, lines = { { sku = "SHIRT", price = 4000 } } },
      expect = { discount = 0, messages = { "Stamp 9 of 10" } },
    },
    {
      name = "the thirtieth, capped",
      cart = { customer = { id = "c1", orders = 29 }, lines = { { sku = "SOFA", price = 40000 } } },
      expect = { discount = 3000 },
    },
  },
}
