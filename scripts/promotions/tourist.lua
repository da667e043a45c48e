-- Visitors: the till notes the country of the passport, and guests from abroad pay less from a spend on.
return promotion {
  id = "tourist",
  name = "Welcome, visitors",
  class = "order",
  settings = {
    home = { type = "list", default = { "GB" }, title = "Countries that are home" },
    percent = { type = "percent", default = 10, title = "Off for visitors" },
    spend = { type = "amount", default = 5000, title = "From this much" },
    without = { type = "list", default = { "food", "gift-cards" }, title = "Categories that do not count" },
  },
  when = { channel = { "pos" } },
  apply = function(cart)
    local s = cart.settings
    local country = cart.attributes.passport
    if type(country) ~= "string" or not re.match(country, "^[A-Z]{2}$") then
      cart:explain("customer")
      return
    end
    for _, home in ipairs(s.home) do
      if country == home then
        cart:explain("customer")
        return
      end
    end
    local goods = cart:items({ not_ = { category = s.without } })
    if goods:amount() < s.spend then
      cart:explain { reason = "condition", missing = { amount = s.spend - goods:amount() } }
      return
    end
    goods:percent_off(s.percent, "Visitors")
  end,
  cases = {
    {
      name = "from France, not on food",
      cart = { channel = "pos", attributes = { passport = "FR" }, lines = {
        { sku = "COAT", price = 9000 }, { sku = "CHEESE", price = 1000, categories = { "food" } },
      } },
      expect = { discount = 900, lines = { COAT = 900, CHEESE = 0 } },
    },
    {
      name = "from here",
      cart = { channel = "pos", attributes = { passport = "GB" }, lines = { { sku = "COAT", price = 9000 } } },
      expect = { discount = 0, reason = "customer" },
    },
    {
      name = "a penny short",
      cart = { channel = "pos", attributes = { passport = "JP" }, lines = { { sku = "SCARF", price = 4999 } } },
      expect = { discount = 0, missing = { amount = 1 } },
    },
  },
}
