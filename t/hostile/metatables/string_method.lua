-- a method put onto a text
-- expect: skipped error attempt to index
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" s.upper = function() return "owned" end
  end,
}
