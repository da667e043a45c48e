-- Free delivery from an amount that depends on the country; nearly there costs less already.
local function need_in(country, list)
  for _, entry in ipairs(list) do
    if entry:sub(1, 3) == country .. "=" then
      return tonumber(entry:sub(4)) or error("not a country and an amount: " .. entry)
    end
  end
  return nil
end

return promotion {
  id = "free-shipping",
  name = "Free delivery",
  class = "shipping",
  settings = {
    from = { type = "list", default = { "GB=5000", "IE=7500", "US=15000" }, title = "Country=free from, in minor units" },
    home = { type = "text", default = "GB", title = "Country where none is said" },
    near = { type = "amount", default = 1000, title = "Nearly there is so much less" },
    near_percent = { type = "percent", default = 50, title = "Off delivery when nearly there" },
  },
  when = { fulfilment = { "ship" } },
  apply = function(cart)
    local s = cart.settings
    local country = cart.ship_to and cart.ship_to.country or s.home
    local need = need_in(country, s.from)
    if not need then
      cart:explain("wrong_country")
    elseif cart.subtotal >= need then
      cart:shipping_off()
    elseif cart.subtotal >= need - s.near then
      cart:shipping_off { percent_off = s.near_percent, label = "Nearly there: cheaper delivery" }
    else
      cart:explain { reason = "condition", missing = { amount = need - cart.subtotal } }
    end
  end,
  cases = {
    {
      name = "free in Great Britain",
      cart = {
        fulfilment = "ship", ship_to = { country = "GB" }, shipping = { method = "standard", amount = 495 },
        lines = { { sku = "SHIRT", price = 5000 } },
      },
      expect = { discount = 495, shipping_total = 0, total = 5000 },
    },
    {
      name = "not yet in Ireland",
      cart = {
        fulfilment = "ship", ship_to = { country = "IE" }, shipping = { method = "standard", amount = 900 },
        lines = { { sku = "SHIRT", price = 5000 } },
      },
      expect = { discount = 0, total = 5900, missing = { amount = 2500 } },
    },
    {
      name = "nearly there",
      cart = {
        fulfilment = "ship", ship_to = { country = "GB" }, shipping = { method = "standard", amount = 500 },
        lines = { { sku = "SHIRT", price = 4500 } },
      },
      expect = { discount = 250, total = 4750 },
    },
    {
      name = "to a country that is not on the list",
      cart = {
        fulfilment = "ship", ship_to = { country = "NO" }, shipping = { method = "standard", amount = 1500 },
        lines = { { sku = "SHIRT", price = 50000 } },
      },
      expect = { discount = 0, reason = "wrong_country" },
    },
    {
      name = "which a setting puts there",
      settings = { from = { "NO=40000" } },
      cart = {
        fulfilment = "ship", ship_to = { country = "NO" }, shipping = { method = "standard", amount = 1500 },
        lines = { { sku = "SHIRT", price = 50000 } },
      },
      expect = { discount = 1500 },
    },
  },
}
