-- A birthday treat: a percentage off all through the birthday month, doubled on the day itself.
return promotion {
  id = "birthday",
  name = "Birthday treat",
  class = "order",
  settings = {
    percent = { type = "percent", default = 10, max = 50, title = "Off in the birthday month" },
    most = { type = "amount", default = 5000, title = "At most" },
  },
  eligible = function(cart)
    local customer = cart.customer
    if not customer or not customer.birthday then
      return false
    end
    return tonumber(customer.birthday:sub(6, 7)) == cart.at.month
  end,
  apply = function(cart)
    local s = cart.settings
    local percent = cart.customer.is_birthday and s.percent * 2 or s.percent
    cart:percent_off(percent, "Happy birthday", { max_amount = s.most })
  end,
  cases = {
    {
      name = "on the day",
      cart = {
        at = "2026-11-27T10:00:00", customer = { id = "c1", birthday = "1990-11-27" },
        lines = { { sku = "SCARF", price = 3500 } },
      },
      expect = { discount = 700, total = 2800 },
    },
    {
      name = "in the month",
      cart = {
        at = "2026-11-05T10:00:00", customer = { id = "c1", birthday = "1990-11-27" },
        lines = { { sku = "SCARF", price = 3500 } },
      },
      expect = { discount = 350 },
    },
    {
      name = "in another month",
      cart = {
        at = "2026-12-05T10:00:00", customer = { id = "c1", birthday = "1990-11-27" },
        lines = { { sku = "SCARF", price = 3500 } },
      },
      expect = { discount = 0 },
    },
  },
}
