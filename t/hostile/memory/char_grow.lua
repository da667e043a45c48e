-- … by bytes
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "" while true do s = s .. string.char(65, 66, 67, 68, 69, 70, 71, 72) .. s end
  end,
}
