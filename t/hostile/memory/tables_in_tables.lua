-- small tables, each in the next
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local t = {} while true do t = { t } end
  end,
}
