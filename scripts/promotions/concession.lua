-- Students, key workers and seniors: the best of what the customer is entitled to, on goods at their full price.
local ENTITLED = {
  { group = "student", label = "Student discount" },
  { group = "key-worker", label = "Key worker discount" },
  { group = "senior", label = "Senior discount" },
}

return promotion {
  id = "concession",
  name = "Students, key workers, seniors",
  class = "line",
  settings = {
    student = { type = "percent", default = 10, title = "Off for students" },
    key_worker = { type = "percent", default = 15, title = "Off for key workers" },
    senior = { type = "percent", default = 12.5, title = "Off for seniors" },
    senior_day = {
      type = "choice", default = "tue", values = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" },
      title = "The seniors' weekday",
    },
    channels = { type = "list", default = { "web", "app", "pos" }, title = "Channels" },
  },
  when = { all = {
    { channel = setting "channels" },
    { customer = { groups = { "student", "key-worker", "senior" } } },
  } },
  limits = { { max = 1, of = "orders", per = "customer", window = "day" } },
  apply = function(cart)
    local s = cart.settings
    local percents = {
      student = s.student,
      ["key-worker"] = s.key_worker,
      senior = cart.at.weekday == s.senior_day and s.senior or 0,
    }
    local percent, label = 0, nil
    for _, one in ipairs(ENTITLED) do
      if cart.customer:member(one.group) and percents[one.group] > percent then
        percent, label = percents[one.group], one.label
      end
    end
    if not label then
      cart:explain("outside_hours")
      return
    end
    cart:items({ on_sale = false }):percent_off(percent, label)
  end,
  cases = {
    {
      name = "a key worker who studies, and a reduced hat",
      cart = { customer = { id = "c1", groups = { "student", "key-worker" } }, lines = {
        { sku = "BOOTS", price = 8000 }, { sku = "HAT", price = 3000, sale = 2000 },
      } },
      expect = { subtotal = 10000, discount = 1200, lines = { BOOTS = 1200, HAT = 0 } },
    },
    {
      name = "a senior on a Tuesday",
      cart = {
        at = "2026-11-24T10:00:00", customer = { id = "c1", groups = { "senior" } },
        lines = { { sku = "SCARF", price = 3600 } },
      },
      expect = { discount = 450 },
    },
    {
      name = "and on a Friday",
      cart = {
        at = "2026-11-27T10:00:00", customer = { id = "c1", groups = { "senior" } },
        lines = { { sku = "SCARF", price = 3600 } },
      },
      expect = { discount = 0, reason = "outside_hours" },
    },
  },
}
