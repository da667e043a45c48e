-- Clearance: one piece 10 % off, two 20 %, three or more 30 %.
local LAST_ONES = { tag = { "clearance" } }
local LADDER = { 10, 20, 30 }

return promotion {
  id = "clearance-ladder",
  name = "Clearance: the more, the cheaper",
  class = "line",
  when = { items = { tag = { "clearance" } }, quantity = { min = 1 } },
  apply = function(cart)
    local pieces = cart:items(LAST_ONES)
    local step = math.min(math.floor(pieces:quantity()), #LADDER)
    if step < 1 then
      return
    end
    pieces:percent_off(LADDER[step], "Clearance")
    if step < #LADDER then
      cart:message("One more clearance piece: " .. LADDER[step + 1] .. " % off all of them")
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
  },
}
