-- a list with a place between two places
-- expect: refused script_error
return promotion { id = "hostile", class = "line", effects = { [1] = { percent_off = 1 }, [1.5] = { percent_off = 1 } } }
