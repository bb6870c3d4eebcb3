-- scripts/lib/conform.lua: the suite that every channel passes (luwak conform CHANNEL). It knows no
-- provider: it reads what the channel declares and drives the channel's simulator by the words of its
-- control, so it holds for channels that are written later.
--
-- What it needs of a channel, besides a manifest that loads:
--   input.NAME.example   what a create request says for a field of its own, where the name and type do
--                        not tell ("phone" and "tenor" do); best one whose payer is waited for
--   docs.keys            each configuration key, and where it comes from
--   docs.fresh = "5m"    callbacks older than that are refused (left out: their time is not looked at)
--   docs.refunds = "whole"   the provider gives back all or nothing
--   docs.refunds_asked = "whole"   the provider can be asked about a refund of all, not about one of a part
--   docs.cancel_asked = "never"   nor about a cancel without an answer: then it ends by its expiry
--   docs.callbacks = "none"   it has our address, but what it answers is all that it says of this channel; news of
--                        it, forged from another channel's of its provider, is refused all the same
--   docs.expiry = "fixed"    the provider does not let us choose when an offer ends
-- and of scripts/sandbox/PROVIDER.lua, all of which scripts/lib/simulator.lua brings:
--   {"pay": order id} with or without an amount, answered {amount, callbacks = {{status}...}, taken_back}, or 4xx where
--   it takes no money; with the word "late" {pays_at}
--   {"next": word}: a word that makes no sense for the provider is answered 400, and the checks that need
--   it are "not offered". Callbacks go to this very server by http.
--
-- A check is { name, function(w) }, w as in conform_world.lua; forged = true: what it sends is made up and no
-- secret. It fails by w:expect or w:fail; what it returns says why the channel does not offer it.
local world = require "conform_world"

local CHECKS = {}
for _, list in ipairs { require "conform_life", require "conform_trouble", require "conform_bodies" } do
  for _, check in ipairs(list) do CHECKS[#CHECKS + 1] = check end
end

return function(channel)
  local tests, names = {}, {}
  for i, check in ipairs(CHECKS) do
    names[i] = check[1]
    tests[check[1]] = function(t)
      local w = world.new(t, channel)
      local why = check[2](w)
      if why then return why end
      engine.sleep "1s"
      w:balanced()
      if not check.forged then w:nothing_logged() end
    end
  end
  return { tests = tests, checks = names }
end
