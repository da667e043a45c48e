-- a callback from C
-- expect: skipped error attempt to call field 'gsub'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.gsub("aaaa", "a", function() while true do end end)
  end,
}
