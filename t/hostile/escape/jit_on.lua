-- compiled traces never look at hooks
-- expect: skipped error attempt to index global 'jit'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    jit.on() while true do end
  end,
}
