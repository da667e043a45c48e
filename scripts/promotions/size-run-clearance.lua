-- The end of a size run: what is left of a season is reduced, and the sizes that nobody asks for more so.
return promotion {
  id = "size-run-clearance",
  name = "Last sizes",
  class = "line",
  settings = {
    items = { type = "filter", default = { tag = { "end-of-season" } }, title = "What is cleared" },
    odd = { type = "list", default = { "XS", "XXL" }, title = "Sizes that are left over" },
    percent = { type = "percent", default = 30, title = "Off" },
    odd_percent = { type = "percent", default = 60, title = "Off the sizes that are left over" },
  },
  apply = function(cart)
    local s = cart.settings
    local odd = { attribute = { size = s.odd } }
    local left = cart:items(s.items)
    left:where(odd):percent_off(s.odd_percent, "Last sizes")
    left:where({ not_ = odd }):percent_off(s.percent, "End of season")
  end,
  cases = {
    {
      name = "one of each",
      cart = { lines = {
        { sku = "DRESS-M", price = 4000, tags = { "end-of-season" }, attributes = { size = "M" } },
        { sku = "DRESS-XS", price = 4000, tags = { "end-of-season" }, attributes = { size = "XS" } },
      } },
      expect = { discount = 3600, lines = { ["DRESS-M"] = 1200, ["DRESS-XS"] = 2400 } },
    },
    {
      name = "an odd size of this season",
      cart = { lines = { { sku = "COAT-XS", price = 9000, attributes = { size = "XS" } } } },
      expect = { discount = 0 },
    },
  },
}
