-- A category's weekend: a percentage off it on some weekdays while the shops are open.
return promotion {
  id = "weekend-category",
  name = "Decorators' weekend",
  class = "line",
  settings = {
    categories = { type = "list", default = { "paint" }, title = "Categories that take part" },
    percent = { type = "percent", default = 20, title = "Off their goods" },
    weekdays = { type = "list", default = { "sat", "sun" }, title = "On these weekdays" },
    opens = { type = "text", default = "08:00", title = "From" },
    closes = { type = "text", default = "20:00", title = "Until" },
  },
  active = { weekdays = setting "weekdays", hours = { { setting "opens", setting "closes" } } },
  effects = { { percent_off = setting "percent", items = { category = setting "categories" } } },
  cases = {
    {
      name = "on Saturday",
      cart = { at = "2026-11-28T08:00:00", lines = {
        { sku = "EMULSION", price = 2400, categories = { "paint" } }, { sku = "DRILL", price = 8000 },
      } },
      expect = { discount = 480, lines = { EMULSION = 480, DRILL = 0 } },
    },
    {
      name = "on Friday",
      cart = { at = "2026-11-27T12:00:00", lines = { { sku = "EMULSION", price = 2400, categories = { "paint" } } } },
      expect = { discount = 0, reason = "outside_hours" },
    },
    {
      name = "on Sunday after closing",
      cart = { at = "2026-11-29T20:00:00", lines = { { sku = "EMULSION", price = 2400, categories = { "paint" } } } },
      expect = { discount = 0, reason = "outside_hours" },
    },
  },
}
