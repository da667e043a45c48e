-- Bread before the doors close: half price in the last hour, five in a bag for one price in the last half hour.
return promotion {
  id = "bakery-closing",
  name = "Bread before we close",
  class = "line",
  settings = {
    items = { type = "filter", default = { category = { "bakery" } }, title = "The bread" },
    closes = { type = "integer", default = 19, min = 1, max = 24, title = "Hour of closing" },
    closes_sunday = { type = "integer", default = 16, min = 1, max = 24, title = "Hour of closing on Sunday" },
    percent = { type = "percent", default = 50, title = "Off in the last hour" },
    bag = { type = "amount", default = 200, title = "Price of a bag" },
    bag_of = { type = "integer", default = 5, min = 2, max = 50, title = "Pieces in a bag" },
  },
  when = { channel = { "pos" } },
  apply = function(cart)
    local s = cart.settings
    local closes = cart.at.weekday == "sun" and s.closes_sunday or s.closes
    local left = closes * 60 - cart.at.minutes
    if left <= 0 or left > 60 then
      cart:explain("outside_hours")
      return
    end
    local bread = cart:items(s.items)
    bread:percent_off(s.percent, "The last hour")
    if left <= 30 then
      cart:bundle { { items = bread, quantity = s.bag_of }, price = s.bag, label = "A bag of bread" }
    end
  end,
  cases = {
    {
      name = "ten past six",
      cart = { channel = "pos", at = "2026-11-27T18:10:00", lines = {
        { sku = "ROLL", price = 90, quantity = 3, categories = { "bakery" } }, { sku = "JAM", price = 300 },
      } },
      expect = { discount = 135 },
    },
    {
      name = "seven rolls at twenty to seven: five for 2.00, two at half price",
      cart = { channel = "pos", at = "2026-11-27T18:40:00", lines = {
        { sku = "ROLL", price = 90, quantity = 7, categories = { "bakery" } },
      } },
      expect = { subtotal = 630, discount = 340, total = 290 },
    },
    {
      name = "a minute before the last hour",
      cart = { channel = "pos", at = "2026-11-27T17:59:00", lines = {
        { sku = "ROLL", price = 90, quantity = 7, categories = { "bakery" } },
      } },
      expect = { discount = 0, reason = "outside_hours" },
    },
    {
      name = "Sunday's last hour is earlier",
      cart = { channel = "pos", at = "2026-11-29T15:10:00", lines = { { sku = "ROLL", price = 90, categories = { "bakery" } } } },
      expect = { discount = 45 },
    },
  },
}
