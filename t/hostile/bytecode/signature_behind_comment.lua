#!/usr/bin/luajit
LJ
-- bytecode behind a first line that is skipped
-- expect: refused script_syntax
