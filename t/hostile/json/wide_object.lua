-- two thousand members
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} for i = 1, 1500 do t[i] = '"k' .. i .. '":' .. i end local s = "{" .. table.concat(t, ",") .. "}"
    local all = {} while true do all[#all + 1] = json.decode(s) end
  end,
}
