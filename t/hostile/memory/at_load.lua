-- a text doubled while the file is loaded
-- expect: refused script_limit
local s = "x" while true do s = s .. s end
