-- The more is spent, the more comes off the order; the till says what is missing to the next step.
local steps = {
  { spend = 15000, off = 3000 },
  { spend = 10000, off = 1500 },
  { spend = 5000, off = 500 },
}

return promotion {
  id = "spend-and-save",
  name = "Spend and save",
  class = "order",
  apply = function(cart)
    local spent = cart:items { not_ = { category = { "gift-cards" } } }:amount()
    for _, step in ipairs(steps) do
      if spent >= step.spend then
        cart:amount_off(step.off, "Spend and save")
        return
      end
    end
    cart:explain { reason = "condition", missing = { amount = steps[#steps].spend - spent } }
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
  },
}
