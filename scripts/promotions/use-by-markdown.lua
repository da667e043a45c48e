-- Yellow stickers: what comes near its use-by date, as the barcode has it, is cheaper by the days that are left.
local function day_number(date)
  local at, _, year, month, day = re.find(date, "(\\d{4})-(\\d\\d)-(\\d\\d)")
  if not at then
    return nil
  end
  local y, m = tonumber(year), tonumber(month)
  if m < 3 then
    y, m = y - 1, m + 12
  end
  local leap_days = math.floor(y / 4) - math.floor(y / 100) + math.floor(y / 400)
  return 365 * y + leap_days + math.floor((153 * m - 457) / 5) + tonumber(day)
end

return promotion {
  id = "use-by-markdown",
  name = "Reduced to clear by date",
  class = "line",
  settings = {
    last_day = { type = "percent", default = 75, title = "Off on the last day" },
    day_before = { type = "percent", default = 50, title = "Off the day before" },
    two_before = { type = "percent", default = 25, title = "Off two days before" },
  },
  when = { channel = { "pos" } },
  apply = function(cart)
    local s = cart.settings
    local percents = { s.last_day, s.day_before, s.two_before }
    local today = day_number(cart.at.date)
    for line in cart:each() do
      local use_by = line.attributes.use_by
      local last = type(use_by) == "string" and day_number(use_by)
      if last and last < today then
        cart:message("Not to be sold: " .. line.sku .. " was good until " .. use_by)
      elseif last and percents[last - today + 1] then
        line:percent_off(percents[last - today + 1], "Good until " .. use_by)
      end
    end
  end,
  cases = {
    {
      name = "today, tomorrow and in three days",
      cart = { channel = "pos", at = "2026-11-27T17:00:00", lines = {
        { sku = "SALMON", price = 800, attributes = { use_by = "2026-11-27" } },
        { sku = "YOGURT", price = 150, quantity = 2, attributes = { use_by = "2026-11-28" } },
        { sku = "PIE", price = 400, attributes = { use_by = "2026-11-30" } },
      } },
      expect = { discount = 750, lines = { SALMON = 600, YOGURT = 150, PIE = 0 } },
    },
    {
      name = "the day after New Year's Eve, and after a leap day",
      cart = { channel = "pos", at = "2027-12-31T17:00:00", lines = {
        { sku = "SALMON", price = 800, attributes = { use_by = "2028-01-01" } },
        { sku = "PIE", price = 400, attributes = { use_by = "2028-01-02" } },
      } },
      expect = { discount = 500, lines = { SALMON = 400, PIE = 100 } },
    },
    {
      name = "from the 28th of February in a leap year",
      cart = { channel = "pos", at = "2028-02-28T17:00:00", lines = {
        { sku = "SALMON", price = 800, attributes = { use_by = "2028-03-01" } },
      } },
      expect = { discount = 200 },
    },
    {
      name = "a day too late",
      cart = { channel = "pos", at = "2026-11-28T08:00:00", lines = {
        { sku = "SALMON", price = 800, attributes = { use_by = "2026-11-27" } },
      } },
      expect = { discount = 0, messages = { "Not to be sold: SALMON was good until 2026-11-27" } },
    },
  },
}
