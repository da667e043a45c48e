-- Tickets for a group: from 10 people 10 % off, from 20 15 %, and every twentieth person free.
local TICKETS = { category = { "tickets" } }

return promotion {
  id = "group-ladder",
  name = "Group tickets",
  class = "line",
  settings = {
    group = { type = "integer", default = 10, min = 2, title = "People that are a group" },
    percent = { type = "percent", default = 10, title = "Off for a group" },
    large = { type = "integer", default = 20, min = 2, title = "People that are a large group" },
    large_percent = { type = "percent", default = 15, title = "Off for a large group" },
    free = { type = "integer", default = 20, min = 2, title = "Of so many one is free" },
  },
  when = { items = { category = { "tickets" } }, quantity = { min = setting "group" } },
  apply = function(cart)
    local s = cart.settings
    local tickets = cart:items(TICKETS)
    local people = tickets:quantity()
    tickets:cheapest(math.floor(people / s.free)):percent_off(100, "One in " .. s.free .. " is free")
    if people >= s.large then
      tickets:percent_off(s.large_percent, "Group of " .. s.large .. " or more")
    else
      tickets:percent_off(s.percent, "Group of " .. s.group .. " or more")
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
    {
      name = "nine are no group",
      cart = { lines = { { sku = "ADULT", price = 1000, quantity = 9, categories = { "tickets" } } } },
      expect = { discount = 0 },
    },
    {
      name = "with smaller groups they are",
      settings = { group = 8 },
      cart = { lines = { { sku = "ADULT", price = 1000, quantity = 9, categories = { "tickets" } } } },
      expect = { discount = 900 },
    },
  },
}
