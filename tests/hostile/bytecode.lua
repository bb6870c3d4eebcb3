-- expect: error
Lua
