-- an error of nothing
-- expect: discount 500 false nil
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local ok, why = pcall(error) cart:items { sku = { "BOOT" } }:percent_off(5) cart:message(tostring(ok) .. " " .. tostring(why))
  end,
}
