-- runs a file of the host
-- expect: skipped error attempt to call global 'dofile'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    dofile("/etc/passwd")
  end,
}
