-- scripts/lib/checkout_assets.lua: the checkout's one style sheet and its one script, each served under
-- a name with its hash, to be kept by browsers for a year. Nothing else is fetched, from anywhere.
local CSS = [[
:root{color-scheme:light dark;--bg:#f3f5f8;--card:#fff;--ink:#14202e;--soft:#55606e;--line:#dde3ea;--brand:#0a5bd3;--on:#fff;
--tint:#eaf2fe;--good:#0b7a43;--good-t:#e4f5ec;--bad:#b3261e;--bad-t:#fdecea;--warn:#8a5300;--warn-t:#fff4de}
@media(prefers-color-scheme:dark){:root{--bg:#0e141b;--card:#18212b;--ink:#e9eff6;--soft:#a4b1c0;--line:#2c3947;--brand:#7db2ff;--on:#08203f;
--tint:#1b2c44;--good:#5fd39a;--good-t:#12301f;--bad:#ff9d94;--bad-t:#3a1a18;--warn:#ffcf7d;--warn-t:#352709}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
a{color:var(--brand)}
h1,h2,h3,p,dl,dd,ol,ul,figure{margin:0;padding:0}
.skip{position:absolute;left:-999px}
.skip:focus{left:1rem;top:.5rem;background:var(--card);padding:.5rem 1rem;border-radius:8px;z-index:1}
:focus-visible{outline:3px solid var(--brand);outline-offset:2px}
.wrap{max-width:30rem;margin:0 auto;padding:0 1rem}
.top{display:flex;align-items:center;justify-content:space-between;gap:1rem;padding:1rem 0}
.shop{display:flex;align-items:center;gap:.65rem;min-width:0;font-weight:600;overflow-wrap:anywhere}
.mark{flex:none;width:2.25rem;height:2.25rem;border-radius:10px;background:var(--brand);color:var(--on);display:grid;place-items:center;font-weight:700}
.lang{display:flex;gap:.15rem;font-size:.875rem;list-style:none}
.lang a{padding:.5rem .55rem;border-radius:8px;text-decoration:none;color:var(--soft)}
.lang a[aria-current]{color:var(--ink);font-weight:600;background:var(--card);box-shadow:inset 0 0 0 1px var(--line)}
.card{background:var(--card);border:1px solid var(--line);border-radius:16px;padding:1.25rem;margin:0 0 1rem;box-shadow:0 1px 2px rgb(16 32 54/.05)}
.sum{display:grid;grid-template-columns:1fr auto;gap:.1rem 1rem;align-items:end}
.label{color:var(--soft);font-size:.875rem}
.amount{font-size:1.85rem;line-height:1.2;font-weight:700;letter-spacing:-.02em;font-variant-numeric:tabular-nums}
.clock{text-align:right;font-variant-numeric:tabular-nums;font-weight:600;white-space:nowrap}
.fine{grid-column:1/-1;display:flex;flex-wrap:wrap;gap:.15rem 1.25rem;border-top:1px solid var(--line);margin-top:.9rem;padding-top:.8rem;font-size:.875rem;
color:var(--soft);overflow-wrap:anywhere}
.fine b{color:var(--ink);font-weight:500}
h1{font-size:1.3rem;line-height:1.3}
h2{font-size:1.0625rem;line-height:1.35}
h3{font-size:.8125rem;color:var(--soft);font-weight:600;margin:1.1rem 0 .5rem}
.ways{list-style:none;display:grid;gap:.5rem}
.way,summary.way{display:flex;width:100%;min-height:3.5rem;align-items:center;gap:.8rem;padding:.6rem .9rem;border:1px solid var(--line);border-radius:12px;
background:var(--card);color:var(--ink);font:inherit;text-align:left;cursor:pointer;list-style:none}
.way.off{cursor:default;opacity:.75;background:none}.way:not(.off):hover{border-color:var(--brand);background:var(--tint)}
summary.way::-webkit-details-marker{display:none}
.badge{flex:none;width:4.75rem;height:2.1rem;border-radius:7px;background:var(--tint);color:var(--brand);font-size:.6875rem;font-weight:700;display:grid;
place-items:center;text-align:center;line-height:1.05;overflow:hidden;padding:0 .1rem;letter-spacing:-.01em}
.what{flex:1;min-width:0}
.what small{display:block;color:var(--soft);font-size:.8125rem}
.go{color:var(--soft)}
details[open]>summary.way{border-radius:12px 12px 0 0}
.fields{border:1px solid var(--line);border-top:0;border-radius:0 0 12px 12px;padding:.9rem;display:grid;gap:.75rem}
label{display:block;font-weight:500;margin-bottom:.25rem}
input{width:100%;font:inherit;color:inherit;background:var(--bg);border:1px solid var(--soft);border-radius:10px;padding:.7rem .8rem;min-height:3rem}
.btn{display:flex;align-items:center;justify-content:center;gap:.5rem;width:100%;min-height:3rem;padding:.7rem 1rem;border:0;border-radius:12px;
background:var(--brand);color:var(--on);font:inherit;font-weight:600;text-align:center;text-decoration:none;cursor:pointer}
.btn[disabled]{opacity:.45;cursor:default}.lang .copy{min-width:2.75rem;padding:0;text-align:center}.lang b.copy{border:0;background:none;color:inherit;line-height:2.75rem}
.btn:not([disabled]):hover{filter:brightness(1.08)}
.btn.plain{background:none;color:var(--brand);box-shadow:inset 0 0 0 1px var(--line)}
.btn+.btn,.stack>*+*{margin-top:.75rem}
.head{display:flex;align-items:center;gap:.8rem;margin-bottom:1rem}
.val{display:flex;align-items:center;justify-content:space-between;gap:.75rem;background:var(--bg);border-radius:12px;padding:.7rem .75rem .7rem 1rem;margin-top:.6rem}
.val div{min-width:0}
.val .label{font-size:.8125rem;color:var(--soft)}
.num{font-size:clamp(1rem,4.3vw,1.2rem);font-weight:650;font-variant-numeric:tabular-nums;letter-spacing:.01em;overflow-wrap:anywhere}
.copy{flex:none;min-height:2.75rem;min-width:4.5rem;border:1px solid var(--line);border-radius:10px;background:var(--card);color:var(--brand);font:inherit;
font-size:.875rem;font-weight:600;cursor:pointer;padding:0 .8rem}
.copy.done{color:var(--good)}
.end dd.id{font-size:.8125rem}.qr{background:#fff;border:1px solid var(--line);border-radius:16px;padding:.75rem;width:100%;max-width:18rem;margin:0 auto;aspect-ratio:1}
.qr img{display:block;width:100%;height:100%;image-rendering:pixelated}
.note{border-radius:12px;padding:.75rem .95rem;margin:0 0 1rem;background:var(--tint);font-size:.9375rem}
.note.warn{display:flex;align-items:center;justify-content:space-between;gap:.75rem;background:var(--warn-t);color:var(--warn)}
.note.bad{background:var(--bad-t);color:var(--bad)}
.state{display:flex;align-items:center;gap:.7rem;margin-top:1rem;font-size:.9375rem}
.state small{display:block;color:var(--soft)}
.dot{flex:none;width:.65rem;height:.65rem;border-radius:50%;background:var(--warn)}
@media(prefers-reduced-motion:no-preference){.dot{animation:p 1.6s ease-in-out infinite}@keyframes p{50%{opacity:.25}}}
.steps{margin-top:1.1rem;border-top:1px solid var(--line);padding-top:1rem}
.steps details{border:1px solid var(--line);border-radius:12px;margin-top:.5rem}
.steps summary{cursor:pointer;padding:.75rem .9rem;font-weight:500;min-height:3rem}
.steps ol{padding:0 1rem .9rem 2.2rem;color:var(--soft)}
.steps li{padding:.15rem 0}
.steps li b{color:var(--ink);overflow-wrap:anywhere}
.end{text-align:center;padding:2rem 1.25rem}
.end .big{width:4rem;height:4rem;border-radius:50%;margin:0 auto 1rem;display:grid;place-items:center;font-size:1.9rem;line-height:1}
.good{background:var(--good-t);color:var(--good)}
.bad.big{background:var(--bad-t);color:var(--bad)}
.end p{color:var(--soft);margin:.35rem 0 1.25rem}
.end h1:focus{outline:0}
.end dl{display:grid;grid-template-columns:auto 1fr;gap:.35rem 1rem;text-align:left;border-top:1px solid var(--line);padding-top:1rem;margin-bottom:1.25rem;font-size:.9375rem}
.end dt{color:var(--soft)}
.end dd{text-align:right;overflow-wrap:anywhere}
.foot{color:var(--soft);font-size:.8125rem;text-align:center;padding:1rem 0 2rem}
.foot svg{vertical-align:-.15em}
.live{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
@media(min-width:60rem){.wrap{max-width:58rem}.cols{display:grid;grid-template-columns:1fr 22rem;gap:1.5rem;align-items:start}.cols>.side{order:2;position:sticky;top:1rem}
.sum{grid-template-columns:1fr}.clock{text-align:left;margin-top:.6rem}.ways{grid-template-columns:1fr 1fr}.ways>li:only-child{grid-column:1/-1}.only{max-width:30rem;margin:0 auto}.top{padding:1.5rem 0}}
]]

local JS = [[
(function () {
  'use strict'
  var main = document.getElementById('pay'), live = document.getElementById('live')
  if (!main) return
  var began = Date.now(), source

  function tick () {
    var el = main.querySelector('[data-left]')
    if (!el) return
    var s = Math.max(0, Math.round(el.dataset.left - (Date.now() - began) / 1000))
    var d = Math.floor(s / 86400), two = function (n) { return (n < 10 ? '0' : '') + n }
    el.textContent = (d ? d + ' ' + el.dataset.day + ' ' : '') + two(Math.floor(s % 86400 / 3600)) + ':' + two(Math.floor(s % 3600 / 60)) + ':' + two(s % 60)
  }

  function ready () {
    began = Date.now()
    main.querySelectorAll('.copy[data-copy]').forEach(function (b) { b.hidden = false })
    tick()
  }

  function show (html) {
    var next = new DOMParser().parseFromString(html, 'text/html').getElementById('pay')
    if (!next || next.dataset.generation === main.dataset.generation) return
    var ended = next.dataset.over && !main.dataset.over
    next = document.importNode(next, true)
    main.replaceWith(next)
    main = next
    ready()
    var h = main.querySelector('h1')
    live.textContent = main.dataset.say
    if (ended && h) { h.tabIndex = -1; h.focus() }
    if (main.dataset.over && source) source.close()
  }

  function look () {
    return fetch(location.pathname, { headers: { Accept: 'text/html' }, credentials: 'same-origin' }).then(function (r) { return r.text() }).then(show)
      .catch(function () {})
  }

  function listen () {
    if (main.dataset.over || !main.dataset.events) return
    if (!window.EventSource) return setInterval(look, 10000)
    source = new EventSource(main.dataset.events)
    source.onmessage = function (m) {
      if (String(JSON.parse(m.data).generation) !== main.dataset.generation) look()
    }
    source.onerror = function () {
      if (source.readyState === 2 && !main.dataset.over) setTimeout(function () { look().then(listen) }, 10000)
    }
  }

  function fallback (text) {
    var t = document.createElement('textarea')
    t.value = text
    t.className = 'live'
    document.body.appendChild(t)
    t.select()
    document.execCommand('copy')
    t.remove()
  }

  document.addEventListener('click', function (e) {
    var b = e.target.closest('.copy[data-copy]')
    if (!b) return
    var text = b.dataset.copy, say = function () {
      b.firstElementChild.textContent = b.dataset.done
      b.classList.add('done')
      live.textContent = b.dataset.done
      setTimeout(function () { b.firstElementChild.textContent = b.dataset.label; b.classList.remove('done') }, 2500)
    }
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(say, function () { fallback(text); say() })
    else { fallback(text); say() }
  })
  document.addEventListener('submit', function (e) { /* twice pressed is once sent */
    if (e.target.dataset.sent) e.preventDefault()
    e.target.dataset.sent = 1
  })
  window.addEventListener('pageshow', function (e) { if (e.persisted) location.reload() })
  setInterval(tick, 1000)
  ready()
  listen()
})()
]]

local function file(name, type, text)
  return { name = ("%s-%s.%s"):format(name, crypto.sha256(text, "hex"):sub(1, 12), type == "text/css" and "css" or "js"), text = text,
    type = type .. "; charset=utf-8" }
end

local assets = { css = file("checkout", "text/css", CSS), js = file("checkout", "text/javascript", JS) }
assets.by_name = { [assets.css.name] = assets.css, [assets.js.name] = assets.js }
return assets
