-- Clearance: one piece 10 % off, two 20 %, three or more 30 %.
local LAST_ONES = { tag = { "clearance" } }

return promotion {
  id = "clearance-ladder",
  name = "Clearance: the more, the cheaper",
  class = "line",
  settings = {
    one = { type = "percent", default = 10, title = "Off a single piece" },
    two = { type = "percent", default = 20, title = "Off each of two" },
    three = { type = "percent", default = 30, title = "Off each of three or more" },
  },
  when = { items = { tag = { "clearance" } }, quantity = { min = 1 } },
  apply = function(cart)
    local ladder = { cart.settings.one, cart.settings.two, cart.settings.three }
    local pieces = cart:items(LAST_ONES)
    local step = math.min(math.floor(pieces:quantity()), #ladder)
    if step < 1 then
      return
    end
    pieces:percent_off(ladder[step], "Clearance")
    if step < #ladder then
      cart:message("One more clearance piece: " .. ladder[step + 1] .. " % off all of them")
    end
  end,
  cases = {
    {
      name = "two pieces",
      cart = { lines = {
        { sku = "RUG", price = 15900, tags = { "clearance" } },
        { sku = "VASE", price = 3900, tags = { "clearance" } },
      } },
      expect = { discount = 3960, messages = { "One more clearance piece: 30 % off all of them" } },
    },
    {
      name = "four pieces, and one that is not clearance",
      cart = { lines = {
        { sku = "VASE", price = 1000, quantity = 4, tags = { "clearance" } },
        { sku = "MUG", price = 1000 },
      } },
      expect = { discount = 1200, lines = { VASE = 1200, MUG = 0 } },
    },
    {
      name = "other steps, by settings",
      settings = { two = 25 },
      cart = { lines = { { sku = "VASE", price = 1000, quantity = 2, tags = { "clearance" } } } },
      expect = { discount = 500 },
    },
    {
      name = "nothing of the kind",
      cart = { lines = { { sku = "MUG", price = 1000, quantity = 4 } } },
      expect = { discount = 0 },
    },
  },
}
