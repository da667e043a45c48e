-- A pack of one drink for the price of a bottle less; every bottle's deposit is paid all the same.
return promotion {
  id = "drinks-multipack",
  name = "Six for the price of five",
  class = "line",
  settings = {
    items = { type = "filter", default = { category = { "soft-drinks" } }, title = "The drinks" },
    pack = { type = "integer", default = 6, min = 2, max = 48, title = "Bottles in a pack" },
    pay = { type = "integer", default = 5, min = 1, max = 47, title = "Bottles to pay for" },
  },
  apply = function(cart)
    local s = cart.settings
    local seen = {}
    for line in cart:items(s.items):each() do
      if not seen[line.sku] then
        seen[line.sku] = true
        cart:bundle {
          { items = { sku = { line.sku } }, quantity = s.pack },
          price = s.pay * line.unit_price,
          label = s.pack .. " for the price of " .. s.pay,
        }
      end
    end
  end,
  cases = {
    {
      name = "seven: a pack and one, and seven deposits",
      cart = { lines = {
        { sku = "COLA", price = 165, quantity = 7, categories = { "soft-drinks" },
          fees = { { code = "deposit", amount = 20 } } },
      } },
      expect = { subtotal = 1155, discount = 165, fees = 140, total = 1130 },
    },
    {
      name = "six of two kinds are no pack",
      cart = { lines = {
        { sku = "COLA", price = 165, quantity = 3, categories = { "soft-drinks" },
          fees = { { code = "deposit", amount = 20 } } },
        { sku = "JUICE", price = 195, quantity = 3, categories = { "soft-drinks" },
          fees = { { code = "deposit", amount = 20 } } },
      } },
      expect = { discount = 0, fees = 120, total = 1200 },
    },
  },
}
