-- a number that is none has one text
-- expect: discount 500 nan nan
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local text = tostring(0 / 0) .. " " .. tostring(-(0 / 0))
    text = text:lower() while text:find("-", 1, true) do local i = text:find("-", 1, true) text = text:sub(1, i - 1) .. text:sub(i + 1) end
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(text)
  end,
}
