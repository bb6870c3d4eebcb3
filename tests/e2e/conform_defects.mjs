// Mistakes that people make in channels, and the check of `luwak conform` that finds each. `find` stands
// exactly once in its file, so a defect that no longer applies is an error and not a defect unfound.
const MIDTRANS = 'scripts/lib/midtrans.lua', WALLET = 'channels/demo_wallet.lua', SELF = 'channels/self_va.lua'
const qris = (what, find, put, caught, channel = 'midtrans_qris') => ({ what, file: MIDTRANS, find, put, channel, caught })
const wallet = (what, find, put, caught) => ({ what, file: WALLET, find, put, channel: 'demo_wallet', caught })
const self = (what, find, put, caught) => ({ what, file: SELF, find, put, channel: 'self_va', caught })
const doku = (what, find, put, caught, channel) => ({ what, file: 'scripts/lib/doku_notify.lua', find, put, channel, caught })
const FAILED = 'return failed { category = "TIMEOUT", code = "timeout", final = true } end'

export const DEFECTS = [
  // the first ten run in `make test`
  qris('verification skipped', 'ctx.verify(type(note) == "table" and verified(ctx, req, note), ', 'ctx.verify(type(note) == "table", ', 'wrong signature'),
  qris('wrong unit: hundredths', 'gross_amount = op.input.amount }', 'gross_amount = op.input.amount * 100 }', 'paid, by callback'),
  qris('float money, out', 'gross_amount = op.input.amount }', 'gross_amount = tostring(op.input.amount / 1) }', 'create'),
  qris('timeout taken as failure', 'if not answer then return unknown { message = why, code = code } end', `if not answer then ${FAILED}`, 'no answer, but made'),
  qris('duplicate ignored: a money id of its own each time', 'money_id = text_of(t.transaction_id), amount = amount,\n', 'money_id = crypto.uuid(), amount = amount,\n', 'callback twice'),
  self('amount not compared', 'money_id = told.money_id, amount = told.amount,', 'money_id = told.money_id, amount = 150000,', 'too little'),
  qris('wrong status map: settlement is not heard', 'if status == "settlement" or status == "capture" then', 'if status == "capture" then', 'paid, by callback'),
  qris('secret logged: the whole notification', 'local told = word_of(note)\n', 'local told = word_of(note)\n  log.info("midtrans_heard", { body = req.body })\n', 'no secret in any log'),
  wallet('waiting taken as paid', 'return processing {', 'return success {', 'create'),
  qris('refund of all whatever was asked', 'amount = op.input.amount, reason = op.input.reason', 'reason = op.input.reason', 'refund in parts'),

  // the way out
  qris('wrong reference', 'order_id = op.reference, gross_amount', 'order_id = op.payment, gross_amount', 'create'),
  qris('open for longer than we watch', 'math.max(20, left // 1000)', 'math.max(20, left // 1000 * 2)', 'an end that was chosen'),
  qris('customer logged', 'what.customer_details = what.customer_details or customer(op)\n', 'what.customer_details = what.customer_details or customer(op)\n  log.info("charge", { email = op.input.customer and op.input.customer.email })\n', 'no secret in any log'),
  wallet('float money, in a wallet', 'amount = op.input.amount, phone', 'amount = op.input.amount / 7 * 1.1, phone', 'create'),
  wallet('another digest', 'crypto.hmac("sha256"', 'crypto.hmac("sha1"', 'create'),
  { what: 'wrong unit in a charge of its own', file: WALLET, find: 'amount = op.input.amount, phone', put: 'amount = op.input.amount // 100, phone', channel: 'demo_wallet', caught: 'amounts at its limits' },
  self('one number for all', '("%0" .. DIGITS .. "d"):format(number), expires_at', '("%0" .. DIGITS .. "d"):format(7), expires_at', 'callbacks out of order'),

  // the answer
  qris('no answer taken as an offer', 'if not answer then return unknown { message = why, code = code } end', 'if not answer then return pending { reference = op.reference } end', 'no answer, nothing made'),
  qris('HTTP 500 taken as failure', '["505"] = "BANK_UNAVAILABLE",', '["505"] = "BANK_UNAVAILABLE", ["500"] = "PROVIDER_ERROR",', 'HTTP 500'),
  qris('rubbish taken as failure', 'if not body or not body.transaction_status then return unknown { message = said(answer, code), code = code } end',
    `if not body or not body.transaction_status then ${FAILED}`, 'an answer that does not read'),
  qris('pending taken as paid', 'words = { pending = "pending"', 'words = { pending = "success"', 'create'),
  qris('expire taken as failure', 'expire = "expired"', 'expire = "failed"', 'expiry'),
  wallet('timeout taken as failure, in a charge', 'if not answer then return unknown { message = why, code = code } end', `if not answer then ${FAILED}`, 'no answer, and paid at once'),
  wallet('rubbish taken as failure, in a charge', 'if not charge then return unknown { message = "the answer is no JSON" } end', `if not charge then ${FAILED}`, 'an answer that does not read'),
  wallet('a decline taken as success', 'return failed { category = "INSUFFICIENT_BALANCE", code = charge.code, message = charge.message, final = true }', 'return success { reference = charge.reference }', 'declined'),

  // what is found by asking
  qris('asked by another id', '"/v2/" .. form.escape(id) .. "/status"', '"/v2/x" .. form.escape(id) .. "/status"', 'paid, by inquiry'),
  wallet('not known yet taken as waiting', 'if answer.status == 404 then return not_created { message = "the wallet does not know it" } end', 'if answer.status == 404 then return processing {} end', 'no answer, nothing made'),
  qris('what is taken back stays paid', 'pending = "pending", authorize = "processing", deny = "failed"', 'pending = "pending", authorize = "processing", deny = "success"', 'inquiry against callback'),

  // what we are told
  qris('signed over less', '{ note.order_id, note.status_code, note.gross_amount, ctx', '{ note.order_id, note.status_code, ctx', 'paid, by callback'),
  qris('float money, in', 'local amount = t.gross_amount and money.parse(tostring(t.gross_amount), "IDR")', 'local amount = tonumber(t.gross_amount)', 'paid, by callback'),
  qris('zone forgotten', 'time.parse(text, "%Y-%m-%d %H:%M:%S", "WIB")', 'time.parse(text, "%Y-%m-%d %H:%M:%S", "UTC")', 'paid, by callback'),
  qris('booked, and answered as if it were not', 'return reply(verdict == "not_found" and 503 or 200, { status = verdict or "ok" })', 'return reply(verdict == "not_found" and 200 or 503, { status = verdict or "ok" })', 'paid, by callback'),
  qris('the amount of the order, not of the money', 'if not amount then return unreadable(t, "gross_amount") end', 'amount = 150000', 'too much'),
  qris('types not looked at', 'if type(note[name]) ~= "string" then return false end', '', 'bad bodies'),
  doku('what is signed is trusted to read', '  if type(t) ~= "table" then return unreadable "transaction" end\n', '', 'bad bodies', 'doku_qris'),
  doku('an error in a shape of our own', 'answer(service, 401, "00", "Unauthorized. Signature")', 'reply(401, { error = "signature" })', 'bad bodies', 'doku_bca_va'),
  doku('a callback is not heard below an account of its own', '(below:match "^/mer_%w+(/.+)$" or below)', 'below', 'bad bodies', 'doku_bca_va'),
  doku('news of a channel that has none is believed unsigned', 'ctx.verify(verified(ctx, request), ', 'ctx.verify(true, ', 'bad bodies', 'doku_ovo'),
  self('what is signed is trusted to be a time', 'type(told.paid_at) == "string" and', 'told.paid_at and', 'bad bodies'),
  self('verification skipped, in a callback of our own', 'ctx.verify(crypto.equal(', 'ctx.verify(true or crypto.equal(', 'bad bodies'),
  self('duplicate ignored, in a callback of our own', 'money_id = told.money_id,', 'money_id = crypto.uuid(),', 'callback twice'),
  self('taken back counted as paid', 'reversed = "reversed"', 'reversed = "success"', 'taken back'),

  // cancel, refund
  qris('cancelled with us only', 'return (spec.cancel or cancel)(ctx, op, spec) end', 'return success {} end', 'cancel'),
  qris('no answer to a cancel taken as done', 'form.escape(id) .. "/cancel") }))\n  if not answer and sent == false then return not_created { message = why } end\n  if not answer then return unknown { message = why } end',
    'form.escape(id) .. "/cancel") }))\n  if not answer and sent == false then return not_created { message = why } end\n  if not answer then return success {} end', 'cancel without an answer'),
  qris('refund without an answer taken as failure', 'reason = op.input.reason } }))\n  if not answer and sent == false then return not_created { message = why } end\n  if not answer then return unknown { message = why } end',
    'reason = op.input.reason } }))\n  if not answer and sent == false then return not_created { message = why } end\n  if not answer then return failed { category = "TIMEOUT", code = "timeout", final = true } end', 'refund without an answer'),
  qris('a refund with another key each time', 'json = { refund_key = refund_key(op), amount', 'json = { refund_key = crypto.uuid(), amount', 'refund without an answer'),
  qris('a refund is never found', 'if r.refund_key == refund_key(op) then return success', 'if r.refund_key == op.id .. "?" then return success', 'refund without an answer'),
  qris('a declined refund taken as done', 'if code == "200" and body.refund_key == refund_key(op) then', 'if code == "200" or code == "202" then', 'refund declined'),
]
