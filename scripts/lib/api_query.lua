-- scripts/lib/api_query.lua: the query parameters of lists, each with its reader; an unknown or wrong one
-- is refused with its name. And bodies that are JSON objects.
local query = {}

function query.wrong(param, detail) return problem { code = "INVALID_REQUEST", param = param, detail = detail } end

-- Readers: text -> value, or nil and what is expected.
function query.text(s) if s ~= "" and #s <= 200 then return s end return nil, "a text" end

function query.limit(s)
  local n = s:find "^%d+$" and math.tointeger(tonumber(s))
  if n and n >= 1 and n <= 100 then return n end
  return nil, "1 to 100"
end

function query.number(s)
  local n = s:find "^%d+$" and #s <= 18 and math.tointeger(tonumber(s))
  if n then return n end
  return nil, "a whole number"
end

function query.time(s)
  local ms = time.parse(s, "rfc3339")
  if ms then return ms end
  return nil, "a time such as 2026-01-31T10:00:00+07:00"
end

function query.one_of(words)
  return function(s)
    if words[s] then return s end
    local list = {}
    for word in pairs(words) do list[#list + 1] = word end
    table.sort(list)
    return nil, "one of " .. table.concat(list, ", ")
  end
end

-- The first that is there twice.
local function twice(req)
  local seen = {}
  for _, pair in ipairs(form.pairs(req.query) or {}) do
    if seen[pair[1]] then return pair[1] end
    seen[pair[1]] = true
  end
end

-- The parameters by their readers; nil and the problem for the first that does not read.
function query.read(req, readers)
  local args, values = req:args(), {}
  if not args then
    local name = twice(req)
    return nil, query.wrong(name, name and name .. " is given once" or "the query does not read")
  end
  for name, text in sorted(args) do
    if not readers[name] then return nil, query.wrong(name, "there is no such parameter") end
    local value, expected = readers[name](text)
    if value == nil then return nil, query.wrong(name, name .. " is " .. expected) end
    values[name] = value
  end
  return values
end

-- A piece of a list that is here as a whole; nil and the problem where `starting_after` names none of it.
function query.piece(all, q, limit, what, id)
  local data, from = json.array {}, q.starting_after and 0 or 1
  for i, one in ipairs(all) do
    if q.starting_after and one[id] == q.starting_after then from = i + 1 end
  end
  if from == 0 then return nil, query.wrong("starting_after", "there is no such " .. what) end
  for i = from, math.min(#all, from + (q.limit or limit) - 1) do data[#data + 1] = all[i] end
  return { object = "list", data = data, has_more = from + (q.limit or limit) - 1 < #all }
end

-- A route without parameters: those it is given are refused.
function query.plain(run)
  return function(req)
    local values, wrong = query.read(req, {})
    if not values then return wrong end
    return run(req)
  end
end

-- The body where it is a JSON object ([] is none); nil and why, where the reader has said why. Bodies have
-- up to 1 MB and patterns take 64 kB, so its first byte is looked for without.
local BLANK = { [0x20] = true, [0x09] = true, [0x0a] = true, [0x0d] = true }

function query.object(req)
  local body, why = req:json()
  if type(body) ~= "table" then return nil, why end
  local at = 1
  while BLANK[req.body:byte(at)] do at = at + 1 end
  return req.body:byte(at) == 0x7b and body or nil
end

-- A route that takes nothing but its path: a body, where there is one, is {}.
function query.bare(run)
  return query.plain(function(req)
    local body, why = {}, nil
    if req.body ~= "" then body, why = query.object(req) end
    if not body then return query.wrong(nil, why or "the body is empty or {}") end
    local name = next(body)
    if name then return query.wrong(name, "there is no such field") end
    return run(req)
  end)
end

return query
