-- Complete the look: one piece of each part of a look, as the stylist put it together, and they are cheaper.
local function lacks(pieces, parts)
  local missing = {}
  for _, part in ipairs(parts) do
    if #pieces:where({ category = { part } }) == 0 then
      table.insert(missing, part)
    end
  end
  return missing
end

return promotion {
  id = "complete-the-look",
  name = "Complete the look",
  class = "line",
  settings = {
    percent = { type = "percent", default = 15, title = "Off the pieces of a whole look" },
    parts = { type = "list", default = { "tops", "bottoms", "shoes" }, title = "One of each of these categories" },
  },
  apply = function(cart)
    local s = cart.settings
    local seen = {}
    for line in cart:each() do
      local look = line.attributes.look
      if type(look) == "string" and #look <= 40 and not seen[look] then
        seen[look] = true
        local bundle = { percent_off = s.percent, label = "The " .. look .. " look" }
        for _, part in ipairs(s.parts) do
          table.insert(bundle, { items = { category = { part }, attribute = { look = { look } } } })
        end
        cart:bundle(bundle)
        local missing = lacks(cart:items({ attribute = { look = { look } } }), s.parts)
        if #missing == 1 then
          cart:message("Complete the " .. look .. " look with one of: " .. missing[1])
        end
      end
    end
  end,
  cases = {
    {
      name = "a whole look",
      cart = { lines = {
        { sku = "STRIPE", price = 3000, categories = { "tops" }, attributes = { look = "harbour" } },
        { sku = "CHINO", price = 5000, categories = { "bottoms" }, attributes = { look = "harbour" } },
        { sku = "DECK", price = 6000, categories = { "shoes" }, attributes = { look = "harbour" } },
        { sku = "BELT", price = 2000 },
      } },
      expect = { subtotal = 16000, discount = 2100, lines = { STRIPE = 450, CHINO = 750, DECK = 900, BELT = 0 } },
    },
    {
      name = "shoes of another look",
      cart = { lines = {
        { sku = "STRIPE", price = 3000, categories = { "tops" }, attributes = { look = "harbour" } },
        { sku = "CHINO", price = 5000, categories = { "bottoms" }, attributes = { look = "harbour" } },
        { sku = "BOOT", price = 9000, categories = { "shoes" }, attributes = { look = "alpine" } },
      } },
      expect = { discount = 0, messages = { "Complete the harbour look with one of: shoes" } },
    },
  },
}
