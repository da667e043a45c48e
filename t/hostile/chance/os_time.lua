-- the time of the host
-- expect: skipped error attempt to index global 'os'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    if os.time() % 2 == 0 then cart:items():percent_off(50) end
  end,
}
