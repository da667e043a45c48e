-- a function of a library replaced for everybody
-- expect: skipped error this table is read-only
return promotion {
  id = "hostile", class = "line",
  apply = function(cart)
    string.upper = function() return "owned" end
  end,
}
