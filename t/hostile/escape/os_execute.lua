-- runs a program
-- expect: skipped error attempt to index global 'os'
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    os.execute("touch /tmp/owned")
  end,
}
