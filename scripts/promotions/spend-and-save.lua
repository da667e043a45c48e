-- The more is spent, the more comes off the order; the till says what is missing to the first step.
return promotion {
  id = "spend-and-save",
  name = "Spend and save",
  class = "order",
  settings = {
    first = { type = "amount", default = 5000, title = "The first step" },
    first_off = { type = "amount", default = 500, title = "Off from there" },
    second = { type = "amount", default = 10000, title = "The second step" },
    second_off = { type = "amount", default = 1500, title = "Off from there" },
    third = { type = "amount", default = 15000, title = "The third step" },
    third_off = { type = "amount", default = 3000, title = "Off from there" },
    without = { type = "list", default = { "gift-cards" }, title = "Categories that do not count" },
  },
  apply = function(cart)
    local s = cart.settings
    local spent = cart:items({ not_ = { category = s.without } }):amount()
    if spent >= s.third then
      cart:amount_off(s.third_off, "Spend and save")
    elseif spent >= s.second then
      cart:amount_off(s.second_off, "Spend and save")
    elseif spent >= s.first then
      cart:amount_off(s.first_off, "Spend and save")
    else
      cart:explain { reason = "condition", missing = { amount = s.first - spent } }
    end
  end,
  cases = {
    {
      name = "the second step",
      cart = { lines = { { sku = "LAMP", price = 5900, quantity = 2 } } },
      expect = { subtotal = 11800, discount = 1500, total = 10300 },
    },
    {
      name = "gift cards do not count",
      cart = { lines = {
        { sku = "CARD", price = 10000, categories = { "gift-cards" } },
        { sku = "MUG", price = 1200 },
      } },
      expect = { discount = 0, missing = { amount = 3800 } },
    },
    {
      name = "a penny short of a step that a setting made",
      settings = { first = 2000, first_off = 100, second = 3000 },
      cart = { lines = { { sku = "MUG", price = 2999 } } },
      expect = { discount = 100, total = 2899 },
    },
  },
}
