-- Templates of HTML (scripts/lib/html.lua): everything is escaped but what a template made.
local html = require "html"

local function raises(t, what, run)
  local good, why = pcall(run)
  t.equal(not good and tostring(why):find(what, 1, true) ~= nil, true, "expected an error about " .. what .. ", not " .. tostring(why))
end

return {
  tests = {
    ["text is escaped, in attributes too, each time"] = function(t)
      local row = html.template [[<li class="{class}">{name}</li>]]
      for _ = 1, 3 do t.equal(tostring(row { class = '"><b>', name = "<BCA> & 'Co'" }), '<li class="&quot;&gt;&lt;b&gt;">&lt;BCA&gt; &amp; &#39;Co&#39;</li>') end
      t.equal(tostring(row { class = 1, name = true }), '<li class="1">true</li>')
      t.equal(tostring(row { class = "1", name = 1.5 }), '<li class="1">1.5</li>')
    end,
    ["what was made here stays as it is, in lists and deep inside"] = function(t)
      local bold, item, list = html.template "<b>{what}</b>", html.template "<li>{what}</li>", html.template "<ul>{items}</ul>{end_}"
      local items = { item { what = { "a<b", bold { what = "<c>" }, { "d", bold { what = "e" } } } }, item { what = false } }
      t.equal(tostring(list { items = items, end_ = "." }), "<ul><li>a&lt;b<b>&lt;c&gt;</b>d<b>e</b></li><li></li></ul>.")
      t.equal(tostring(html.template "nothing to fill in" {}), "nothing to fill in")
    end,
    ["a name that was not given is a mistake, however deep"] = function(t)
      local outer, inner = html.template "<p>{inner}</p>", html.template "<i>{what}</i>"
      raises(t, "{what}", function() return tostring(outer { inner = inner {} }) end)
      raises(t, "{inner}", function() return tostring(outer {}) end)
    end,
    ["many different texts, short and long"] = function(t)
      local one = html.template "{what}"
      for i = 1, 2500 do t.equal(tostring(one { what = "<" .. i .. ">" }), "&lt;" .. i .. "&gt;") end
      t.equal(tostring(one { what = ("<"):rep(500) }), ("&lt;"):rep(500))
    end,
    ["only addresses that a browser may follow"] = function(t)
      t.equal(html.url "https://shop.example/x?y=1", "https://shop.example/x?y=1")
      for _, bad in ipairs { "javascript:alert(1)", "https:shop", "data:text/html,x", "http://a b", 'http://a"b', "//shop.example", "gojek://pay" } do
        t.equal(html.url(bad), nil)
      end
      t.equal(html.url("gojek://pay", true), "gojek://pay")
      t.equal(html.url("JavaScript:alert(1)", true), nil)
    end,
  },
}
