-- scripts/lib/operator_tool.lua: scripts/lib/operator.lua, and what only one-off scripts may: statements of
-- their own, files.
local operator = require "operator"

local tool = {}
for name, value in pairs(operator) do tool[name] = value end

function tool.select(sql, ...)
  local list, why = store.select(sql, ...)
  if not list then operator.stop("the store: " .. why) end
  return list
end

-- Rows in pieces by a growing number `n`, which the statement selects, and takes as ?1.
function tool.each(sql, ...)
  local rest = table.pack(...)
  return operator.walk(function(after) return tool.select(sql .. " LIMIT 500", after, table.unpack(rest, 1, rest.n)) end)
end

-- Lists of cells, written as they come; close() says whether all of it is there.
function tool.csv(path, header)
  local file, why = io.open(path, "w")
  if not file then operator.stop(why) end
  local good = true
  local function put(row)
    good = file:write(csv.encode { row }) and good
  end
  put(header)
  return { put = put, close = function()
    good = file:close() and good
    if not good then operator.stop(path .. ": not all of it could be written") end
  end }
end

return tool
