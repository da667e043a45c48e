-- Open-box items: 15 % off, 25 % once the cart holds three of them.
local OPEN_BOX = { attribute = { condition = { "open-box" } } }

return promotion {
  id = "open-box",
  name = "Open box",
  class = "line",
  settings = {
    percent = { type = "percent", default = 15, title = "Off one or two" },
    percent_from_three = { type = "percent", default = 25, title = "Off three or more" },
  },
  apply = function(cart)
    local boxes = cart:items(OPEN_BOX)
    local percent = boxes:quantity() >= 3 and cart.settings.percent_from_three or cart.settings.percent
    boxes:percent_off(percent, "Open box")
  end,
  cases = {
    {
      name = "one",
      cart = { lines = { { sku = "TV", price = 30000, attributes = { condition = "open-box" } } } },
      expect = { discount = 4500 },
    },
    {
      name = "three, one line of them new",
      cart = { lines = {
        { sku = "TV", price = 30000, quantity = 3, attributes = { condition = "open-box" } },
        { sku = "RADIO", price = 5000 },
      } },
      expect = { discount = 22500, total = 72500 },
    },
    {
      name = "a new one",
      cart = { lines = { { sku = "TV", price = 30000 } } },
      expect = { discount = 0 },
    },
  },
}
