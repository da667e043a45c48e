-- eight thousand numbers, whose tree is far larger than their text
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 8000 do t[i] = "1" end local s = "[" .. table.concat(t, ",") .. "]"
    for i = 1, 9 do json.decode(s) end
  end,
}
