-- A gift with a larger order: the larger the order, the better the gift.
return promotion {
  id = "free-gift",
  name = "A gift for you",
  class = "line",
  settings = {
    small = { type = "text", default = "TOTE", title = "SKU of the small gift" },
    large = { type = "text", default = "CANDLE", title = "SKU of the large gift" },
    small_from = { type = "amount", default = 5000, title = "Spend for the small gift" },
    large_from = { type = "amount", default = 10000, title = "Spend for the large gift" },
  },
  apply = function(cart)
    local s = cart.settings
    if cart.subtotal >= s.large_from then
      cart:gift(s.large, 1, { label = "A gift for you" })
    elseif cart.subtotal >= s.small_from then
      cart:gift(s.small, 1, { label = "A gift for you" })
    else
      cart:explain { reason = "condition", missing = { amount = s.small_from - cart.subtotal } }
    end
  end,
  cases = {
    {
      name = "the large gift",
      cart = {
        products = { { sku = "TOTE", price = 1500 }, { sku = "CANDLE", price = 1600 } },
        lines = { { sku = "COAT", price = 12000 } },
      },
      expect = { total = 12000, gifts = { CANDLE = 1 } },
    },
    {
      name = "the small gift",
      cart = {
        products = { { sku = "TOTE", price = 1500 }, { sku = "CANDLE", price = 1600 } },
        lines = { { sku = "COAT", price = 6000 } },
      },
      expect = { total = 6000, gifts = { TOTE = 1 } },
    },
    {
      name = "a penny short",
      cart = { products = { { sku = "TOTE", price = 1500 } }, lines = { { sku = "COAT", price = 4999 } } },
      expect = { total = 4999, missing = { amount = 1 } },
    },
  },
}
