-- its error text would show whether a file is there
-- expect: skipped error attempt to call global 'loadfile'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local f, why = loadfile("/etc/shadow") cart:message(why)
  end,
}
