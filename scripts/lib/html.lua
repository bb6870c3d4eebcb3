-- scripts/lib/html.lua: HTML that escapes by default. A template is a text with names in braces:
--
--   local html = require "html"
--   local row = html.template [[<li class="{class}">{name}</li>]]
--   row { class = "bank", name = "<BCA>" }         -- <li class="bank">&lt;BCA&gt;</li>
--
-- What another template made is put in as it is, and a list of those one after the other; everything
-- else is text: escaped, in attributes too, which therefore stand in double quotes. A name that was
-- not given is a mistake and raises once it is made text; false is nothing. tostring() makes it text.
local html = {}

-- What has it was made here: a template's parts and the values for it. It becomes text at the end only, in one
-- pass, so that what stands deep inside is not copied at each level.
local Markup = {}
local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

-- Most of what a page says it says every time: such texts are escaped once.
local KNOWN_MOST, KNOWN_BYTES = 1000, 200
local known, count = {}, 0

function html.escape(text)
  text = tostring(text)
  local escaped = known[text]
  if escaped then return escaped end
  escaped = text:gsub("[&<>\"']", ESCAPES)
  if #text <= KNOWN_BYTES then
    if count == KNOWN_MOST then known, count = {}, 0 end
    known[text], count = escaped, count + 1
  end
  return escaped
end

-- Puts a value behind the n texts in `out`; how many there are then.
local function put(value, out, n)
  if value == false then return n end
  if type(value) ~= "table" then
    out[n + 1] = known[value] or html.escape(value)
    return n + 1
  end
  if getmetatable(value) ~= Markup then
    for i = 1, #value do n = put(value[i], out, n) end
    return n
  end
  local literals, names, values = value.literals, value.names, value.values
  for i = 1, #names do
    local one = values[names[i]]
    local text = known[one] -- mostly
    out[n + 1] = literals[i]
    if text then
      n = n + 2
      out[n] = text
    elseif one == nil then
      error("html: nothing was given for {" .. names[i] .. "}")
    else
      n = put(one, out, n + 1)
    end
  end
  out[n + 1] = literals[#names + 1]
  return n + 1
end

Markup.__tostring = function(m)
  local out = {}
  put(m, out, 0)
  return table.concat(out)
end

function html.template(text)
  local literals, names, at = {}, {}, 1
  for from, name, to in text:gmatch "(){([%a_][%w_]*)}()" do
    literals[#literals + 1], names[#names + 1] = text:sub(at, from - 1), name
    at = to
  end
  literals[#literals + 1] = text:sub(at)
  return function(values) return setmetatable({ literals = literals, names = names, values = values }, Markup) end
end

-- A link that a browser may follow: web addresses, or with `apps` any scheme of an app; nil for
-- javascript: and whatever else could run or is no address at all.
local NEVER = { javascript = true, data = true, vbscript = true, blob = true, file = true, about = true }

function html.url(text, apps)
  if type(text) ~= "string" or text:find "[%c%s\"<>\\]" then return nil end
  local scheme = text:match "^(%a[%w+.-]*):"
  scheme = scheme and scheme:lower()
  if scheme == "https" or scheme == "http" then return text:match "^%a+://[^/]" and text or nil end
  return apps and scheme and not NEVER[scheme] and text or nil
end

return html
