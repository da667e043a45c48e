-- Members collect several times the points on some categories, the usual ones on all else.
return promotion {
  id = "points-by-category",
  name = "More points on beauty",
  class = "order",
  settings = {
    categories = { type = "list", default = { "beauty" }, title = "Categories that take part" },
    times = { type = "integer", default = 5, min = 2, max = 100, title = "How many times the points" },
    per = { type = "amount", default = 100, min = 1, title = "The shop gives a point for so much" },
  },
  when = { customer = { known = true } },
  apply = function(cart)
    local s = cart.settings
    local spent = cart:items({ category = s.categories }):amount()
    cart:points(math.floor(spent / s.per) * (s.times - 1), "Extra points")
  end,
  cases = {
    {
      name = "34 for everything, and four times 24 more",
      cart = { customer = { id = "c1" }, lines = {
        { sku = "CREAM", price = 2450, categories = { "beauty" } }, { sku = "SHIRT", price = 1000 },
      } },
      expect = { discount = 0, points = 130 },
    },
    {
      name = "nothing of the kind",
      cart = { customer = { id = "c1" }, lines = { { sku = "SHIRT", price = 1000 } } },
      expect = { points = 10 },
    },
  },
}
