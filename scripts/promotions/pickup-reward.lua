-- Collect it in the shop and something comes off; whoever has it shipped is told so.
return promotion {
  id = "pickup-reward",
  name = "Collect and save",
  class = "order",
  settings = {
    off = { type = "amount", default = 300, title = "Off an order that is collected" },
    spend = { type = "amount", default = 3000, title = "From this much" },
    channels = { type = "list", default = { "web", "app" }, title = "Channels" },
  },
  when = { channel = setting "channels" },
  apply = function(cart)
    local s = cart.settings
    if cart.subtotal < s.spend then
      cart:explain { reason = "condition", missing = { amount = s.spend - cart.subtotal } }
    elseif cart.fulfilment == "pickup" then
      cart:amount_off(s.off, "Collected in the shop")
    else
      cart:message("Collect it in the shop and pay less")
    end
  end,
  cases = {
    {
      name = "collected",
      cart = { fulfilment = "pickup", lines = { { sku = "LAMP", price = 3500 } } },
      expect = { discount = 300, total = 3200 },
    },
    {
      name = "shipped",
      cart = { fulfilment = "ship", lines = { { sku = "LAMP", price = 3500 } } },
      expect = { discount = 0, messages = { "Collect it in the shop and pay less" } },
    },
    {
      name = "too little",
      cart = { fulfilment = "pickup", lines = { { sku = "LAMP", price = 2999 } } },
      expect = { discount = 0, missing = { amount = 1 } },
    },
  },
}
