-- Mix and match by price: any three of the lower shelf for one price, any three of the upper for another.
return promotion {
  id = "price-band-mix",
  name = "Any three from a shelf",
  class = "line",
  settings = {
    categories = { type = "list", default = { "paperbacks" }, title = "Categories that take part" },
    units = { type = "integer", default = 3, min = 2, max = 50, title = "How many together" },
    lower_to = { type = "amount", default = 1000, title = "Lower shelf: up to this price" },
    lower_price = { type = "amount", default = 2500, title = "Lower shelf: so many together for" },
    upper_to = { type = "amount", default = 1500, title = "Upper shelf: up to this price" },
    upper_price = { type = "amount", default = 4000, title = "Upper shelf: so many together for" },
  },
  apply = function(cart)
    local s = cart.settings
    local books = cart:items({ category = s.categories })
    cart:bundle {
      { items = books:where({ unit_price = { max = s.lower_to } }), quantity = s.units },
      price = s.lower_price, label = "The lower shelf",
    }
    cart:bundle {
      { items = books:where({ unit_price = { min = s.lower_to + 1, max = s.upper_to } }), quantity = s.units },
      price = s.upper_price, label = "The upper shelf",
    }
  end,
  cases = {
    {
      name = "three of each",
      cart = { lines = {
        { sku = "B1", price = 899, categories = { "paperbacks" } },
        { sku = "B2", price = 950, categories = { "paperbacks" } },
        { sku = "B3", price = 1000, categories = { "paperbacks" } },
        { sku = "B4", price = 1499, quantity = 3, categories = { "paperbacks" } },
      } },
      expect = { subtotal = 7346, discount = 349 + 497, total = 6500 },
    },
    {
      name = "two of the lower and one of the upper shelf",
      cart = { lines = {
        { sku = "B1", price = 999, quantity = 2, categories = { "paperbacks" } },
        { sku = "B4", price = 1499, categories = { "paperbacks" } },
      } },
      expect = { discount = 0 },
    },
  },
}
