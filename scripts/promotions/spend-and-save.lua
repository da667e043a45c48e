-- The more is spent, the more comes off the order; the till says what is missing to the next step.
return promotion {
  id = "spend-and-save",
  name = "Spend and save",
  class = "order",
  settings = {
    steps = { type = "list", default = { "5000=500", "10000=1500", "15000=3000" }, title = "Spend=off, in minor units" },
    without = { type = "list", default = { "gift-cards" }, title = "Categories that do not count" },
  },
  apply = function(cart)
    local spent = cart:items({ not_ = { category = cart.settings.without } }):amount()
    local off, next_at = 0, nil
    for _, step in ipairs(cart.settings.steps) do
      local spend, gives = re.match(step, "^(\\d{1,12})=(\\d{1,12})$")
      if not spend then
        error("not a spend and what comes off: " .. step)
      end
      if spent >= tonumber(spend) then
        off = math.max(off, tonumber(gives))
      else
        next_at = math.min(next_at or math.huge, tonumber(spend))
      end
    end
    cart:amount_off(off, "Spend and save")
    if next_at then
      cart:explain { reason = "condition", missing = { amount = next_at - spent } }
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
      settings = { steps = { "2000=100", "3000=400" } },
      cart = { lines = { { sku = "MUG", price = 2999 } } },
      expect = { discount = 100, total = 2899 },
    },
  },
}
