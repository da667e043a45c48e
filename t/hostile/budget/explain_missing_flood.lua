-- … with what is missing, each four kilobytes
-- expect: skipped memory
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    local s = "x" for i = 1, 12 do s = s .. s end while true do cart:explain { missing = { a = s } } end
  end,
}
