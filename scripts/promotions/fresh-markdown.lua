-- Fresh food is marked down in the evening, more so in the last hour.
local FRESH = { category = { "fresh" } }

return promotion {
  id = "fresh-markdown",
  name = "Fresh today, cheaper tonight",
  class = "line",
  settings = {
    evening = { type = "percent", default = 30, title = "Off from 18:00" },
    last_hour = { type = "percent", default = 60, title = "Off from 20:00" },
  },
  when = { channel = { "pos" } },
  apply = function(cart)
    local hour = cart.at.hour
    if hour >= 20 then
      cart:items(FRESH):percent_off(cart.settings.last_hour, "Fresh tonight")
    elseif hour >= 18 then
      cart:items(FRESH):percent_off(cart.settings.evening, "Fresh tonight")
    else
      cart:explain("outside_hours")
    end
  end,
  cases = {
    {
      name = "in the evening, by weight",
      cart = { channel = "pos", at = "2026-11-27T18:30:00", lines = {
        { sku = "SALAD", price = 1000, quantity = 0.35, unit = "kg", categories = { "fresh" } },
        { sku = "TEA", price = 400 },
      } },
      expect = { subtotal = 750, discount = 105 },
    },
    {
      name = "in the last hour",
      cart = { channel = "pos", at = "2026-11-27T20:00:00", lines = { { sku = "BUN", price = 250, categories = { "fresh" } } } },
      expect = { discount = 150 },
    },
    {
      name = "a minute too early",
      cart = { channel = "pos", at = "2026-11-27T17:59:00", lines = { { sku = "BUN", price = 250, categories = { "fresh" } } } },
      expect = { discount = 0, reason = "outside_hours" },
    },
  },
}
