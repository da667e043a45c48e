-- … turned round and joined
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "ab" while true do s = s .. s:reverse() .. s:upper() end
  end,
}
