-- reads a file of the host
-- expect: skipped error attempt to index global 'io'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    for l in io.open("/etc/passwd"):lines() do cart:message(l) end
  end,
}
