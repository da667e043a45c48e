-- a selection of a selection of a selection
-- expect: skipped
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = cart:items() while true do s = s:where { sku = { "BOOT" } } end
  end,
}
