-- Free delivery from an amount that depends on the country; nearly there is said, and costs half.
local from = { GB = 5000, IE = 7500, US = 15000 }

return promotion {
  id = "free-shipping",
  name = "Free delivery",
  class = "shipping",
  when = { fulfilment = { "ship" } },
  apply = function(cart)
    local country = cart.ship_to and cart.ship_to.country or "GB"
    local need = from[country]
    if not need then
      cart:explain("wrong_country")
    elseif cart.subtotal >= need then
      cart:shipping_off()
    elseif cart.subtotal >= need - 1000 then
      cart:shipping_off { percent_off = 50, label = "Nearly there: delivery at half price" }
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
  },
}
