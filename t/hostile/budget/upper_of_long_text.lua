-- a long text in capitals
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "a" for i = 1, 13 do s = s .. s end while true do s:upper() end
  end,
}
