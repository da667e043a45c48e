-- … or one in a list of them, where its table would be bare
-- expect: refused script_error
return { promotion { id = "hostile", class = "line", effects = { { percent_off = 1 } } }, string }
