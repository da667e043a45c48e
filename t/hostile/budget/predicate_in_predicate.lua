-- functions that pick items within each other
-- expect: skipped error nested too deep
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local function p() return cart:items():where(p) end p()
  end,
}
