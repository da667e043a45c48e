-- Buy more, get more: with three the cheapest is free, with five the two cheapest, with eight the four cheapest.
return promotion {
  id = "cheapest-free-ladder",
  name = "The cheapest are free",
  class = "line",
  settings = {
    items = { type = "filter", default = { category = { "toys" } }, title = "The range" },
    ladder = { type = "list", default = { "3=1", "5=2", "8=4" }, title = "Pieces=free ones" },
  },
  apply = function(cart)
    local range = cart:items(cart.settings.items)
    local pieces = range:quantity()
    local free, next_at, next_free = 0, nil, nil
    for _, step in ipairs(cart.settings.ladder) do
      local at, gives = re.match(step, "^(\\d{1,4})=(\\d{1,4})$")
      if not at then
        error("not a number of pieces and of free ones: " .. step)
      end
      at, gives = tonumber(at), tonumber(gives)
      if pieces >= at then
        free = math.max(free, gives)
      elseif not next_at or at < next_at then
        next_at, next_free = at, gives
      end
    end
    range:cheapest(free):percent_off(100, free .. " free")
    if pieces > 0 and next_at and next_at - pieces == 1 then
      cart:message("One more, and " .. next_free .. " free")
    elseif free == 0 and next_at then
      cart:explain { reason = "condition", missing = { quantity = next_at - pieces } }
    end
  end,
  cases = {
    {
      name = "five: the two cheapest are free",
      cart = { lines = {
        { sku = "CAR", price = 500, quantity = 3, categories = { "toys" } },
        { sku = "BEAR", price = 1999, categories = { "toys" } },
        { sku = "BALL", price = 300, categories = { "toys" } },
      } },
      expect = { subtotal = 3799, discount = 800, lines = { BALL = 300, CAR = 500, BEAR = 0 } },
    },
    {
      name = "four: one is free, and a hint",
      cart = { lines = { { sku = "CAR", price = 500, quantity = 4, categories = { "toys" } } } },
      expect = { discount = 500, messages = { "One more, and 2 free" } },
    },
    {
      name = "two",
      cart = { lines = { { sku = "CAR", price = 500, quantity = 2, categories = { "toys" } } } },
      expect = { discount = 0, messages = { "One more, and 1 free" } },
    },
    {
      name = "one",
      cart = { lines = { { sku = "CAR", price = 500, categories = { "toys" } } } },
      expect = { discount = 0, missing = { quantity = 2 } },
    },
  },
}
