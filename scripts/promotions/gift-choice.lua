-- The customer chooses a gift: the more is spent, the more there are to choose from.
local function add(list, more)
  for _, sku in ipairs(more) do
    table.insert(list, sku)
  end
end

return promotion {
  id = "gift-choice",
  name = "Choose your gift",
  class = "line",
  settings = {
    first_from = { type = "amount", default = 4000, title = "Spend for the first gifts" },
    first = { type = "list", default = { "HAND-CREAM", "LIP-BALM" }, title = "SKUs of the first gifts" },
    second_from = { type = "amount", default = 8000, title = "Spend for the second ones as well" },
    second = { type = "list", default = { "CANDLE", "BODY-OIL" }, title = "SKUs of the second gifts" },
  },
  apply = function(cart)
    local s = cart.settings
    local offered = {}
    if cart.subtotal >= s.first_from then
      add(offered, s.first)
    end
    if cart.subtotal >= s.second_from then
      add(offered, s.second)
    end
    if #offered == 0 then
      cart:explain { reason = "condition", missing = { amount = s.first_from - cart.subtotal } }
      return
    end
    for _, sku in ipairs(offered) do
      if sku == cart.attributes.gift then
        cart:gift(sku, 1, { label = "The gift of your choice" })
        return
      end
    end
    cart:message("There are " .. #offered .. " gifts to choose from")
  end,
  cases = {
    {
      name = "one of the second",
      cart = {
        attributes = { gift = "CANDLE" }, products = { { sku = "CANDLE", price = 1600 } },
        lines = { { sku = "SERUM", price = 4500, quantity = 2 } },
      },
      expect = { total = 9000, gifts = { CANDLE = 1 } },
    },
    {
      name = "not yet that one",
      cart = {
        attributes = { gift = "CANDLE" }, products = { { sku = "CANDLE", price = 1600 } },
        lines = { { sku = "SERUM", price = 4500 } },
      },
      expect = { discount = 0, messages = { "There are 2 gifts to choose from" } },
    },
    {
      name = "a penny short of the first",
      cart = { attributes = { gift = "LIP-BALM" }, lines = { { sku = "BRUSH", price = 3999 } } },
      expect = { discount = 0, missing = { amount = 1 } },
    },
  },
}
