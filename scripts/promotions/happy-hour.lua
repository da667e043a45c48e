-- Happy hour: the first hour gives most, the second half of it.
return promotion {
  id = "happy-hour",
  name = "Happy hour",
  class = "line",
  settings = {
    categories = { type = "list", default = { "drinks" }, title = "Categories that take part" },
    percent = { type = "percent", default = 30, title = "Off in the first hour" },
    start = { type = "integer", default = 17, min = 0, max = 22, title = "Hour it starts" },
  },
  when = { items = { category = setting "categories" }, quantity = { min = 1 } },
  apply = function(cart)
    local s = cart.settings
    local hour = cart.at.hour - s.start
    if hour < 0 or hour > 1 then
      cart:explain("outside_hours")
      return
    end
    local percent = hour == 0 and s.percent or s.percent / 2
    cart:items({ category = s.categories }):percent_off(percent, "Happy hour")
  end,
  cases = {
    {
      name = "the first hour",
      cart = { at = "2026-11-27T17:10:00", lines = { { sku = "WINE", price = 1000, categories = { "drinks" } } } },
      expect = { discount = 300, total = 700 },
    },
    {
      name = "the second hour",
      cart = { at = "2026-11-27T18:59:59", lines = { { sku = "WINE", price = 1000, categories = { "drinks" } } } },
      expect = { discount = 150 },
    },
    {
      name = "too late",
      cart = { at = "2026-11-27T19:00:00", lines = { { sku = "WINE", price = 1000, categories = { "drinks" } } } },
      expect = { discount = 0, reason = "outside_hours" },
    },
  },
}
