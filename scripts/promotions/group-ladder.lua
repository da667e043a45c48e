-- Tickets for a group: from 10 people 10 % off, from 20 15 %, and every twentieth person free.
local LADDER = { { people = 20, percent = 15 }, { people = 10, percent = 10 } }
local TICKETS = { category = { "tickets" } }

return promotion {
  id = "group-ladder",
  name = "Group tickets",
  class = "line",
  when = { items = { category = { "tickets" } }, quantity = { min = 10 } },
  apply = function(cart)
    local tickets = cart:items(TICKETS)
    local people = tickets:quantity()
    tickets:cheapest(math.floor(people / 20)):percent_off(100, "Every twentieth free")
    for _, step in ipairs(LADDER) do
      if people >= step.people then
        tickets:percent_off(step.percent, "Group of " .. step.people .. " or more")
        return
      end
    end
  end,
  cases = {
    {
      name = "twelve people",
      cart = { lines = { { sku = "ADULT", price = 1000, quantity = 12, categories = { "tickets" } } } },
      expect = { discount = 1200 },
    },
    {
      name = "twenty: the cheapest one free, 15 % off the others",
      cart = { lines = {
        { sku = "ADULT", price = 1000, quantity = 15, categories = { "tickets" } },
        { sku = "CHILD", price = 500, quantity = 5, categories = { "tickets" } },
      } },
      expect = { subtotal = 17500, discount = 500 + 2250 + 300 },
    },
  },
}
