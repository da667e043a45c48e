-- Trade-in: the till grades the old phone, and its worth comes off the new one, never more than a part of its price.
return promotion {
  id = "trade-in",
  name = "Trade in your old phone",
  class = "line",
  settings = {
    items = { type = "filter", default = { category = { "phones" } }, title = "What it counts for" },
    grade_a = { type = "amount", default = 15000, title = "Worth of grade A, like new" },
    grade_b = { type = "amount", default = 8000, title = "Worth of grade B, used" },
    grade_c = { type = "amount", default = 3000, title = "Worth of grade C, broken" },
    most_percent = { type = "percent", default = 50, title = "Never more than this of the new one's price" },
  },
  when = { channel = { "pos" } },
  apply = function(cart)
    local s = cart.settings
    local old = json.decode(cart.attributes.trade_in or "null")
    local grade = type(old) == "table" and old.grade
    local worth = ({ A = s.grade_a, B = s.grade_b, C = s.grade_c })[grade]
    local new = cart:items(s.items):priciest(1)
    if not worth or new:quantity() == 0 then
      cart:explain("condition")
      return
    end
    local most = math.floor(new:amount() * s.most_percent / 100)
    new:amount_off(math.min(worth, most), "Trade-in, grade " .. grade)
  end,
  cases = {
    {
      name = "grade A against two new phones: once, on the dearer",
      cart = { channel = "pos", attributes = { trade_in = '{"model":"P3","grade":"A"}' }, lines = {
        { sku = "PHONE", price = 80000, categories = { "phones" } },
        { sku = "PHONE-MINI", price = 20000, categories = { "phones" } },
      } },
      expect = { discount = 15000, lines = { PHONE = 15000, ["PHONE-MINI"] = 0 } },
    },
    {
      name = "half the price is the most",
      cart = { channel = "pos", attributes = { trade_in = '{"grade":"A"}' }, lines = {
        { sku = "PHONE-MINI", price = 20000, quantity = 2, categories = { "phones" } },
      } },
      expect = { subtotal = 40000, discount = 10000 },
    },
    {
      name = "a grade that is none",
      cart = { channel = "pos", attributes = { trade_in = '{"grade":["A"]}' }, lines = {
        { sku = "PHONE", price = 80000, categories = { "phones" } },
      } },
      expect = { discount = 0, reason = "condition" },
    },
    {
      name = "not against a case",
      cart = { channel = "pos", attributes = { trade_in = '{"grade":"A"}' }, lines = { { sku = "CASE", price = 3000 } } },
      expect = { discount = 0 },
    },
  },
}
