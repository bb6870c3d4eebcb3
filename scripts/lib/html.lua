-- scripts/lib/html.lua: HTML that escapes by default. A template is a text with names in braces:
--
--   local html = require "html"
--   local row = html.template [[<li class="{class}">{name}</li>]]
--   row { class = "bank", name = "<BCA>" }         -- <li class="bank">&lt;BCA&gt;</li>
--
-- What another template made is put in as it is, and a list of those one after the other; everything
-- else is text: escaped, in attributes too, which therefore stand in double quotes. A name that was
-- not given is a mistake and raises; false is nothing.
local html = {}

local Markup = { __tostring = function(m) return m[1] end } -- what has it was made here
local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

function html.escape(text) return (tostring(text):gsub("[&<>\"']", ESCAPES)) end

local function put(value)
  if value == false then return "" end
  if type(value) ~= "table" then return html.escape(value) end
  if getmetatable(value) == Markup then return value[1] end
  local parts = {}
  for i, one in ipairs(value) do parts[i] = put(one) end
  return table.concat(parts)
end

function html.template(text)
  local literals, names, at = {}, {}, 1
  for from, name, to in text:gmatch "(){([%a_][%w_]*)}()" do
    literals[#literals + 1], names[#names + 1] = text:sub(at, from - 1), name
    at = to
  end
  local rest = text:sub(at)
  return function(values)
    local out = {}
    for i, name in ipairs(names) do
      local value = values[name]
      if value == nil then error("html: nothing was given for {" .. name .. "}", 2) end
      out[2 * i - 1], out[2 * i] = literals[i], put(value)
    end
    out[#out + 1] = rest
    return setmetatable({ table.concat(out) }, Markup)
  end
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
