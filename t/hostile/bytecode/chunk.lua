LJ
-- bytecode instead of a text: its verifier is none
-- expect: refused script_bytecode 1
