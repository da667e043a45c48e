-- Buy more, get more: with three the cheapest is free, with five the two cheapest, with eight the four cheapest.
return promotion {
  id = "cheapest-free-ladder",
  name = "The cheapest are free",
  class = "line",
  settings = {
    items = { type = "filter", default = { category = { "toys" } }, title = "The range" },
    few = { type = "integer", default = 3, min = 1, title = "With so many pieces" },
    few_free = { type = "integer", default = 1, min = 1, title = "so many are free" },
    more = { type = "integer", default = 5, min = 1, title = "With so many more" },
    more_free = { type = "integer", default = 2, min = 1, title = "so many are free" },
    many = { type = "integer", default = 8, min = 1, title = "With so many at last" },
    many_free = { type = "integer", default = 4, min = 1, title = "so many are free" },
  },
  apply = function(cart)
    local s = cart.settings
    local range = cart:items(s.items)
    local pieces = range:quantity()
    local free, next_at, next_free = s.many_free, nil, nil
    if pieces < s.few then
      free, next_at, next_free = 0, s.few, s.few_free
    elseif pieces < s.more then
      free, next_at, next_free = s.few_free, s.more, s.more_free
    elseif pieces < s.many then
      free, next_at, next_free = s.more_free, s.many, s.many_free
    end
    range:cheapest(free):percent_off(100, free .. " free")
    if pieces > 0 and next_at and next_at - pieces == 1 then
      cart:message("One more, and " .. next_free .. " free")
    elseif free == 0 then
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
