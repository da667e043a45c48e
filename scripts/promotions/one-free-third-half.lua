-- Buy one, get one free and a third half price: of every three the dearest is paid, the next is free, the cheapest half price.
return promotion {
  id = "one-free-third-half",
  name = "2 for 1, and the third half price",
  class = "line",
  settings = {
    items = { type = "filter", default = { category = { "skincare" } }, title = "The range" },
    third = { type = "percent", default = 50, title = "Off the third" },
    times = { type = "integer", default = 3, min = 1, max = 100, title = "How often in an order" },
  },
  apply = function(cart)
    local s = cart.settings
    local range = cart:items(s.items)
    if range:quantity() < 2 then
      cart:explain { reason = "condition", missing = { quantity = 2 - range:quantity() } }
      return
    end
    if range:quantity() < 3 then
      cart:deal {
        buy = { { items = range, quantity = 1 } },
        get = { { items = range, quantity = 1, percent_off = 100 } },
        choose = "cheapest",
        label = "2 for 1",
      }
      cart:message("A third comes at half price")
      return
    end
    cart:deal {
      buy = { { items = range, quantity = 1 } },
      get = {
        { items = range, quantity = 1, percent_off = 100 },
        { items = range, quantity = 1, percent_off = s.third },
      },
      choose = "cheapest",
      times = s.times,
      label = "2 for 1, third half price",
    }
  end,
  cases = {
    {
      name = "two",
      cart = { lines = {
        { sku = "SERUM", price = 3000, categories = { "skincare" } },
        { sku = "TONER", price = 2000, categories = { "skincare" } },
      } },
      expect = { discount = 2000, lines = { TONER = 2000, SERUM = 0 }, messages = { "A third comes at half price" } },
    },
    {
      name = "three of a kind",
      cart = { lines = { { sku = "SERUM", price = 3000, quantity = 3, categories = { "skincare" } } } },
      expect = { subtotal = 9000, discount = 4500 },
    },
    {
      name = "three: the dearest paid, the next free, the cheapest half price",
      cart = { lines = {
        { sku = "SERUM", price = 3000, categories = { "skincare" } },
        { sku = "TONER", price = 2000, categories = { "skincare" } },
        { sku = "SOAP", price = 1000, categories = { "skincare" } },
      } },
      expect = { discount = 2500, lines = { SERUM = 0, TONER = 2000, SOAP = 500 } },
    },
    {
      name = "one alone",
      cart = { lines = { { sku = "SERUM", price = 3000, categories = { "skincare" } } } },
      expect = { discount = 0, missing = { quantity = 1 } },
    },
  },
}
