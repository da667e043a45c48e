-- What is subscribed to is cheaper, and all of it more so once there are five different things.
local SUBSCRIBED = { attribute = { plan = { "subscribe" } } }

return promotion {
  id = "subscribe-and-save",
  name = "Subscribe and save",
  class = "line",
  settings = {
    percent = { type = "percent", default = 5, title = "Off each" },
    many = { type = "integer", default = 5, min = 2, max = 100, title = "So many different ones" },
    many_percent = { type = "percent", default = 15, title = "Off each of so many" },
  },
  apply = function(cart)
    local s = cart.settings
    local subscribed = cart:items(SUBSCRIBED)
    local kinds = subscribed:distinct()
    subscribed:percent_off(kinds >= s.many and s.many_percent or s.percent, "Subscribe and save")
    if kinds == s.many - 1 then
      cart:message("One more subscription makes all of them cheaper")
    end
  end,
  cases = {
    {
      name = "one of two lines",
      cart = { lines = {
        { sku = "COFFEE", price = 1000, quantity = 2, attributes = { plan = "subscribe" } }, { sku = "MUG", price = 800 },
      } },
      expect = { discount = 100, lines = { COFFEE = 100, MUG = 0 } },
    },
    {
      name = "five different ones",
      cart = { lines = {
        { sku = "COFFEE", price = 1000, attributes = { plan = "subscribe" } },
        { sku = "TEA", price = 400, attributes = { plan = "subscribe" } },
        { sku = "SOAP", price = 600, attributes = { plan = "subscribe" } },
        { sku = "OATS", price = 300, attributes = { plan = "subscribe" } },
        { sku = "PASTA", price = 200, attributes = { plan = "subscribe" } },
      } },
      expect = { subtotal = 2500, discount = 375 },
    },
    {
      name = "ten of four",
      cart = { lines = {
        { sku = "COFFEE", price = 1000, quantity = 7, attributes = { plan = "subscribe" } },
        { sku = "TEA", price = 400, attributes = { plan = "subscribe" } },
        { sku = "SOAP", price = 600, attributes = { plan = "subscribe" } },
        { sku = "OATS", price = 300, attributes = { plan = "subscribe" } },
      } },
      expect = { discount = 415, messages = { "One more subscription makes all of them cheaper" } },
    },
    {
      name = "bought once",
      cart = { lines = { { sku = "COFFEE", price = 1000, attributes = { plan = "once" } } } },
      expect = { discount = 0 },
    },
  },
}
