-- Spend enough, and the cheapest piece in the basket comes at half price.
return promotion {
  id = "spend-cheapest-off",
  name = "Spend and save on the cheapest piece",
  class = "line",
  settings = {
    spend = { type = "amount", default = 6000, title = "From this much" },
    percent = { type = "percent", default = 50, title = "Off the cheapest" },
    pieces = { type = "integer", default = 1, min = 1, max = 20, title = "How many of the cheapest" },
    without = { type = "list", default = { "gift-cards" }, title = "Categories that do not count" },
  },
  apply = function(cart)
    local s = cart.settings
    local goods = cart:items({ not_ = { category = s.without } })
    local short = s.spend - goods:amount()
    if short > 0 then
      cart:explain { reason = "condition", missing = { amount = short } }
      return
    end
    goods:cheapest(s.pieces):percent_off(s.percent, "The cheapest piece")
  end,
  cases = {
    {
      name = "the hat is the cheapest",
      cart = { lines = { { sku = "COAT", price = 5000 }, { sku = "HAT", price = 1500 } } },
      expect = { discount = 750, lines = { HAT = 750, COAT = 0 } },
    },
    {
      name = "of three hats one is reduced",
      cart = { lines = { { sku = "COAT", price = 5000 }, { sku = "HAT", price = 1500, quantity = 3 } } },
      expect = { subtotal = 9500, discount = 750 },
    },
    {
      name = "a penny short",
      cart = { lines = { { sku = "COAT", price = 5000 }, { sku = "MITTENS", price = 999 } } },
      expect = { discount = 0, missing = { amount = 1 } },
    },
    {
      name = "a gift card does not count",
      cart = { lines = {
        { sku = "COAT", price = 5000 },
        { sku = "CARD", price = 2500, categories = { "gift-cards" } },
      } },
      expect = { discount = 0, missing = { amount = 1000 } },
    },
  },
}
