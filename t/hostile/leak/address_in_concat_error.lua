-- in the text of an error of a concatenation
-- expect: discount 500 line 7: attempt to concatenate local 't' (a table value)
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local ok, why = pcall(function()
    local t = {} return "x" .. t end)
    cart:items { sku = { "BOOT" } }:percent_off(5) cart:message((why:sub(8):find("7", 1, true) and "line " or "") .. why:sub(8))
  end,
}
