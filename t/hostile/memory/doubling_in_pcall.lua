-- … with each failure caught
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" while true do pcall(function() s = s .. s end) end
  end,
}
