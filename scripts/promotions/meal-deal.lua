-- A main, a snack and a drink for one price; breakfast costs less than lunch.
return promotion {
  id = "meal-deal",
  name = "Meal deal",
  class = "line",
  settings = {
    breakfast = { type = "amount", default = 400, title = "Price until 11:00" },
    lunch = { type = "amount", default = 500, title = "Price from 11:00" },
    main = { type = "list", default = { "meal-main" }, title = "Tags of mains" },
    snack = { type = "list", default = { "meal-snack" }, title = "Tags of snacks" },
    drink = { type = "list", default = { "meal-drink" }, title = "Tags of drinks" },
  },
  when = { items = { tag = setting "main" }, quantity = { min = 1 } },
  apply = function(cart)
    local s = cart.settings
    cart:bundle {
      { items = { tag = s.main }, quantity = 1 },
      { items = { tag = s.snack }, quantity = 1 },
      { items = { tag = s.drink }, quantity = 1 },
      price = cart.at.hour < 11 and s.breakfast or s.lunch,
      label = "Meal deal",
    }
  end,
  cases = {
    {
      name = "lunch",
      cart = { at = "2026-11-27T12:30:00", lines = {
        { sku = "SANDWICH", price = 375, tags = { "meal-main" } },
        { sku = "CRISPS", price = 120, tags = { "meal-snack" } },
        { sku = "COLA", price = 165, tags = { "meal-drink" } },
      } },
      expect = { subtotal = 660, discount = 160, total = 500 },
    },
    {
      name = "breakfast",
      cart = { at = "2026-11-27T09:00:00", lines = {
        { sku = "SANDWICH", price = 375, tags = { "meal-main" } },
        { sku = "CRISPS", price = 120, tags = { "meal-snack" } },
        { sku = "COLA", price = 165, tags = { "meal-drink" } },
      } },
      expect = { total = 400 },
    },
    {
      name = "no drink, no deal",
      cart = { at = "2026-11-27T12:30:00", lines = {
        { sku = "SANDWICH", price = 375, tags = { "meal-main" } },
        { sku = "CRISPS", price = 120, tags = { "meal-snack" } },
      } },
      expect = { discount = 0 },
    },
  },
}
