-- an error of several lines, as if nginx had written them
-- expect: skipped error one?2026 [alert] 1#1: owned
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    error("one\n2026 [alert] 1#1: owned\27[31m", 0)
  end,
}
