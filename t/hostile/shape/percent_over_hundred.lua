-- more than everything off
-- expect: refused max
return promotion { id = "hostile", class = "line", effects = { { percent_off = 101 } } }
