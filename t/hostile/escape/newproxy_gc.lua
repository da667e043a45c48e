-- finalizers run where no hook looks
-- expect: skipped error attempt to call global 'newproxy'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local p = newproxy(true) getmetatable(p).__gc = function() while true do end end
  end,
}
