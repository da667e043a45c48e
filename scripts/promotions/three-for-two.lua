-- Three for two across a range: of every three, the cheapest is free.
return promotion {
  id = "three-for-two",
  name = "3 for 2",
  class = "line",
  group = "multibuy",
  settings = {
    items = { type = "filter", default = { tag = { "three-for-two" } }, title = "The range" },
  },
  apply = function(cart)
    local range = cart:items(cart.settings.items)
    local over = range:quantity() % 3
    if range:quantity() < 3 then
      cart:explain { reason = "condition", missing = { quantity = 3 - over } }
      return
    end
    cart:effect {
      nth = { items = range, group = 3, position = 3, percent_off = 100 },
      order = "priciest",
      label = "3 for 2",
    }
    if over == 2 then
      cart:message("One more of the range is free")
    end
  end,
  cases = {
    {
      name = "three books: the cheapest is free",
      cart = { lines = {
        { sku = "B1", price = 999, tags = { "three-for-two" } },
        { sku = "B2", price = 799, tags = { "three-for-two" } },
        { sku = "B3", price = 1299, tags = { "three-for-two" } },
      } },
      expect = { discount = 799, lines = { B2 = 799 } },
    },
    {
      name = "five: one free, and a hint",
      cart = { lines = { { sku = "B1", price = 1000, quantity = 5, tags = { "three-for-two" } } } },
      expect = { discount = 1000, messages = { "One more of the range is free" } },
    },
    {
      name = "two: one is missing",
      cart = { lines = { { sku = "B1", price = 1000, quantity = 2, tags = { "three-for-two" } } } },
      expect = { discount = 0, missing = { quantity = 1 } },
    },
  },
}
