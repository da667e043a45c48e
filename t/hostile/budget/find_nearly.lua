-- one that is nearly everywhere
-- expect: skipped instructions
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 13 do s = s .. s end local n = s:sub(1, 4000) .. "b" while true do s:find(n, 1, true) end
  end,
}
