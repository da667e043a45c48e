-- Members pay the price on the second label; everyone else is told what that would save.
return promotion {
  id = "member-prices",
  name = "Member prices",
  class = "line",
  settings = {
    prices = { type = "list", default = { "COFFEE=499", "TEA=250" }, title = "SKU=price, in minor units" },
  },
  apply = function(cart)
    local member = cart.customer and cart.customer.known
    local saved = 0
    for _, entry in ipairs(cart.settings.prices) do
      local at = entry:find("=")
      local sku, price = entry:sub(1, (at or 0) - 1), at and tonumber(entry:sub(at + 1))
      if not price then
        error("not a SKU and its price: " .. entry)
      end
      local goods = cart:items({ sku = { sku } })
      if member then
        goods:unit_price(price, "Member price")
      end
      for line in goods:each() do
        saved = saved + math.max(0, math.floor((line.unit_price - price) * line.quantity))
      end
    end
    if not member then
      if saved == 0 then
        cart:explain("customer")
      else
        local digits = cart.minor_digits
        cart:message(string.format("Members save %." .. digits .. "f on this", saved / 10 ^ digits))
      end
    end
  end,
  cases = {
    {
      name = "a member",
      cart = { customer = { id = "c1" }, lines = {
        { sku = "COFFEE", price = 650, quantity = 2 }, { sku = "TEA", price = 300 }, { sku = "CAKE", price = 400 },
      } },
      expect = { subtotal = 2000, discount = 352, lines = { COFFEE = 302, TEA = 50, CAKE = 0 } },
    },
    {
      name = "a guest",
      cart = { lines = { { sku = "COFFEE", price = 650, quantity = 2 }, { sku = "TEA", price = 300 } } },
      expect = { discount = 0, messages = { "Members save 3.52 on this" } },
    },
    {
      name = "a guest with nothing of the kind",
      cart = { lines = { { sku = "CAKE", price = 400 } } },
      expect = { discount = 0, reason = "customer" },
    },
  },
}
