-- Price match: the till types a competitor's price (in minor units) into the line, and the line goes down to it.
return promotion {
  id = "price-match",
  name = "Price match",
  class = "line",
  priority = 10,
  settings = {
    most_percent = { type = "percent", default = 30, title = "Never lower a price by more than this" },
    channels = { type = "list", default = { "pos" }, title = "Channels" },
  },
  when = { channel = setting "channels" },
  apply = function(cart)
    local s = cart.settings
    for line in cart:each() do
      local seen = line.attributes.competitor_price
      local price = seen and re.match(seen, "^[0-9]{1,9}$") and tonumber(seen)
      if price and price < line.unit_price then
        local least = math.ceil(line.unit_price * (100 - s.most_percent) / 100)
        cart:items({ sku = { line.sku }, attribute = { competitor_price = { seen } } })
          :unit_price(math.max(price, least), "Price match")
      end
    end
  end,
  cases = {
    {
      name = "matched, and matched no further than allowed",
      cart = { channel = "pos", lines = {
        { sku = "LAMP", price = 6000, quantity = 2, attributes = { competitor_price = "5500" } },
        { sku = "BULB", price = 1000, attributes = { competitor_price = "1" } },
        { sku = "MUG", price = 1000 },
      } },
      expect = { discount = 1300, lines = { LAMP = 1000, BULB = 300, MUG = 0 } },
    },
    {
      name = "nonsense is no price",
      cart = { channel = "pos", lines = { { sku = "LAMP", price = 6000, attributes = { competitor_price = "free" } } } },
      expect = { discount = 0 },
    },
  },
}
