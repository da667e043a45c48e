-- A kit put together on the web page: when all its parts are in the cart, they are cheaper.
return promotion {
  id = "kit-builder",
  name = "Your own kit",
  class = "line",
  settings = {
    percent = { type = "percent", default = 12.5, title = "Off the parts of the kit" },
    least = { type = "integer", default = 3, min = 2, max = 20, title = "Parts of a kit at least" },
  },
  apply = function(cart)
    local kit = json.decode(cart.attributes.kit or "null")
    if type(kit) ~= "table" or #kit < cart.settings.least then
      return
    end
    local parts = cart:items({ sku = kit })
    if parts:distinct() < #kit then
      cart:explain { reason = "condition", missing = { quantity = #kit - parts:distinct() } }
      return
    end
    parts:percent_off(cart.settings.percent, "Your own kit", { max_units = #kit })
  end,
  cases = {
    {
      name = "all three parts",
      cart = { attributes = { kit = '["TENT","BAG","MAT"]' }, lines = {
        { sku = "TENT", price = 16000 }, { sku = "BAG", price = 6000 }, { sku = "MAT", price = 2000 },
      } },
      expect = { discount = 3000 },
    },
    {
      name = "one is missing",
      cart = { attributes = { kit = '["TENT","BAG","MAT"]' }, lines = {
        { sku = "TENT", price = 16000 }, { sku = "BAG", price = 6000 },
      } },
      expect = { discount = 0 },
    },
    {
      name = "nonsense in the attribute",
      cart = { attributes = { kit = "{[" }, lines = { { sku = "TENT", price = 16000 } } },
      expect = { discount = 0 },
    },
  },
}
