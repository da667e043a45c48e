-- … with failures caught
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} while true do pcall(function() t[#t + 1] = { 1, 2, 3, 4 } end) end
  end,
}
