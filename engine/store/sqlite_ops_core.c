/* How SQLite runs the operations of the payment core; see sqlite_ops.c. What is done for every
 * payment avoids RETURNING and INSERT ... SELECT: SQLite opens a temporary table for both. */
#include "store/sqlite_private.h"

/* Accounts come into being when they are first used. A merchant's carry its id; what a merchant
 * owns may not be overdrawn. */
#define OPEN(name) OPEN_AS(name, ANY)
#define OPEN_AS(name, expect)                                                  \
    {                                                                          \
        "INSERT INTO ledger_account (name, merchant, floor) VALUES (" name "," \
        " CASE WHEN " name " GLOB 'merchant_*:*' OR " name " GLOB 'deposit:*'" \
        " THEN substr(" name ", instr(" name ", ':') + 1) END,"                \
        " " name " GLOB 'merchant_payable*' OR " name " GLOB 'deposit:*')"     \
        " ON CONFLICT (name) DO NOTHING",                                      \
            expect                                                             \
    }
#define ACCOUNT(name) "(SELECT n FROM ledger_account WHERE name = " name ")"
#define ENTRY         "INSERT INTO ledger_entry (debit, credit, amount, kind, object, at)"
#define PAYABLE       "('merchant_payable:' || :merchant)"
#define RECEIVABLE    "('merchant_receivable:' || :merchant)"
#define MOVED_ON      "the payment has moved on"
#define CLOSED \
    "CASE WHEN (:to = 'failed' OR :to = 'expired' OR :to = 'cancelled') THEN n ELSE 0 END"
#define MOVE(closed)                                                                         \
    "UPDATE payment SET generation = generation + 1, status = :to, " closed " open = :open," \
    " amount_due = :amount_due, received = :received, amount_paid = :amount_paid,"           \
    " amount_refunded = :amount_refunded, refunding = :refunding,"                           \
    " amount_reversed = :amount_reversed, unsettled = :unsettled, settle_at = :settle_at,"   \
    " method = :method, channel = :channel, bank = :bank, attempt = :attempt,"               \
    " instructions = :instructions, fee = :fee, fee_version = :fee_version,"                 \
    " failure = :failure, expires_at = :expires_at, paid_at = :paid_at, updated = :now"      \
    " WHERE id = :id AND generation = :generation"

const op_steps OPS_CORE[OP_COUNT_] = {
    [OP_MERCHANT_PUT] = {{"INSERT INTO merchant (id, name, kind, status, rate, allow, created,"
                          " updated) VALUES (:id, :name, :kind, :status, :rate, :allow, :now, :now)"
                          " ON CONFLICT (id) DO UPDATE SET name = excluded.name,"
                          " kind = excluded.kind, status = excluded.status, rate = excluded.rate,"
                          " allow = excluded.allow, updated = excluded.updated"}},
    [OP_MERCHANT_CATEGORY] = {{"UPDATE merchant SET category = :category, updated = :now"
                               " WHERE id = :id",
                               ONE, "there is no such merchant"}},
    [OP_API_KEY_ADD] = {{"INSERT INTO api_key VALUES (:id, :merchant, :hash, :sealed, :mode,"
                         " :label, :now, NULL)",
                         ONE, "api key"}},
    [OP_API_KEY_REVOKE] = {{"UPDATE api_key SET revoked = :now WHERE id = :id"
                            " AND merchant = :merchant AND revoked IS NULL",
                            ONE, "there is no such key, or it has ended"}},
    [OP_ACCOUNT_PUT] = {{"INSERT INTO provider_account VALUES (:name, :provider, :merchant,"
                         " :environment, :config, :now) ON CONFLICT (name) DO UPDATE SET"
                         " config = excluded.config, updated = excluded.updated"
                         " WHERE provider = excluded.provider AND merchant IS excluded.merchant"
                         " AND environment = excluded.environment",
                         ONE, "the account is another provider's, merchant's or environment's"}},
    [OP_PERSON_ADD] = {{"INSERT INTO person VALUES (:id, :merchant, :key, :data, :now, NULL)", ONE,
                        "person"}},
    [OP_PERSON_ERASE] =
        {{"UPDATE person SET key = NULL, data = NULL, erased = :now"
          " WHERE id = :id AND erased IS NULL",
          ONE, "there is no such person, or it was erased"},
         {"UPDATE inbox SET key = NULL, body = NULL, answer = NULL, status = NULL,"
          " updated = :now WHERE payment IN"
          " (SELECT id FROM payment WHERE person = :id)"},
         {"UPDATE refund SET destination = NULL, destination_key = NULL,"
          " generation = generation + 1, updated = :now WHERE destination IS NOT NULL"
          " AND payment IN (SELECT id FROM payment WHERE person = :id)"}},
    [OP_PAYMENT_ADD] =
        {{"INSERT INTO payment (n, id, merchant, order_id, closed, status, generation,"
          " open, amount, amount_due, currency, method, channel, bank, attempt, instructions, fee,"
          " fee_version, failure, person, doc, expires_at, created, updated)"
          " VALUES ((SELECT coalesce(max(n), 0) + 1 FROM payment), :id, :merchant, :order_id,"
          " CASE WHEN (:status = 'failed' OR :status = 'expired' OR :status = 'cancelled')"
          " THEN (SELECT coalesce(max(n), 0) + 1 FROM payment) ELSE 0 END, :status, 1,"
          " :open, :amount, :amount_due, :currency, :method, :channel, :bank, :attempt,"
          " :instructions, :fee, :fee_version, :failure, :person, :doc, :expires_at, :now, :now)",
          ONE, "payment"}},
    /* Most moves leave `closed` as it is, and an index of which no column is set is not written. */
    [OP_PAYMENT_MOVE] = {{MOVE("") " AND closed = " CLOSED, DONE_},
                         {MOVE("closed = " CLOSED ","), ONE, MOVED_ON}},
    [OP_PAYMENT_STANDS] = {{"SELECT 1 FROM payment WHERE id = :id AND generation = :generation",
                            CHECK_, MOVED_ON}},
    [OP_ATTEMPT_ADD] =
        {{"INSERT INTO operation (id, kind, script, version, account, reference, status, doc,"
          " payment, amount, method, bank, created, updated) VALUES (:id, :kind, :script,"
          " :version, :account, :reference, :status, :doc, :payment, :amount, :method,"
          " :bank, :now, :now)",
          ONE, "operation"}},
    [OP_ATTEMPT_KEY] = {{"INSERT INTO operation_key VALUES (:account, :kind, :value, :operation,"
                         " :only) ON CONFLICT (account, kind, value, operation) DO NOTHING"}},
    [OP_VIRTUAL_ACCOUNT_ADD] =
        {{"INSERT INTO virtual_account VALUES (:id, :merchant, :account,"
          " :number, :bank, :script, :version, :person, :doc, 'active', :now,"
          " :now)",
          ONE, "virtual account"}},
    [OP_VIRTUAL_ACCOUNT_CLOSE] = {{"UPDATE virtual_account SET status = 'closed', updated = :now"
                                   " WHERE id = :id AND merchant = :merchant"
                                   " AND status = 'active'",
                                   ONE, "there is no such virtual account, or it is closed"}},
    [OP_MOVEMENT_ADD] =
        {{"INSERT INTO movement (account, money_id, payment, operation, amount, counted, held,"
          " why, source, paid_at, at) VALUES (:account, :money_id, :payment, :operation, :amount,"
          " :counted, :held, :why, :source, :paid_at, :now)",
          ADDED, "movement"}},
    [OP_MOVEMENT_CLAIM] = {{"UPDATE movement SET money_id = :money_id WHERE id = :id"
                            " AND money_id IS NULL",
                            ONE, "that money was claimed"}},
    [OP_MOVEMENT_MOVE] = {{"UPDATE movement SET held = held - :counted - :returned,"
                           " counted = counted + :counted, returned = returned + :returned"
                           " WHERE id = :id AND held = :held",
                           ONE, "that money is not in suspense any more"}},
    [OP_MOVEMENT_OWN] = {{"UPDATE movement SET payment = :payment, operation = :operation,"
                          " counted = :counted, held = :held, why = :why WHERE id = :id"
                          " AND payment IS NULL",
                          ONE, "that money belongs to a payment"}},
    [OP_MOVEMENT_DROP] = {{"UPDATE movement SET held = 0, returned = amount, money_id = NULL"
                           " WHERE id = :id AND payment IS NULL AND held = amount",
                           ONE, "that money is not nobody's any more"}},
    [OP_REFUND_ADD] =
        {{"INSERT INTO refund (id, payment, merchant, amount, status, reason, destination,"
          " destination_key, operation, by, movement, created, updated) VALUES (:id, :payment,"
          " :merchant, :amount, :status, :reason, :destination, :destination_key, :operation, :by, "
          ":movement, :now, :now)",
          ONE, "refund"}},
    [OP_REFUND_MOVE] = {{"UPDATE refund SET status = :to, failure = :failure,"
                         " generation = generation + 1, updated = :now"
                         " WHERE id = :id AND generation = :generation",
                         ONE, "the refund has moved on"}},
    [OP_REVERSAL_ADD] = {{"INSERT INTO reversal VALUES (:id, :payment, :account, :money_id,"
                          " :amount, :counted, :reason, :now)",
                          ONE, "reversal"}},
    [OP_NOTE_ADD] = {{"INSERT INTO note (payment, what, detail, at)"
                      " VALUES (:payment, :what, :detail, :now)",
                      ONE, "note"}},

    [OP_LEDGER_POST] = {OPEN_AS(":debit", OPENED),
                        OPEN_AS(":credit", OPENED),
                        {ENTRY " VALUES (" ACCOUNT(":debit") ", " ACCOUNT(
                             ":credit") ", :amount,"
                                        " :kind, :object, :now)",
                         ONE, "ledger"}},
    /* the receivable first: it does not change what the other step looks at */
    [OP_LEDGER_TAKE] =
        {OPEN(PAYABLE),
         OPEN(RECEIVABLE),
         OPEN(":credit"),
         {ENTRY " SELECT " ACCOUNT(RECEIVABLE) ", " ACCOUNT(
             ":credit") ", :amount - (credits - debits), :kind, :object, :now"
                        " FROM ledger_account WHERE name = " PAYABLE
                        " AND :amount > credits - debits"},
         {ENTRY " SELECT n, " ACCOUNT(
             ":credit") ", min(:amount, credits - debits),"
                        " :kind, :object, :now FROM ledger_account WHERE name = " PAYABLE
                        " AND min(:amount, credits - debits) > 0"}},
    [OP_LEDGER_GIVE] =
        {OPEN(PAYABLE),
         OPEN(RECEIVABLE),
         OPEN(":debit"),
         {ENTRY " SELECT " ACCOUNT(":debit") ", " ACCOUNT(
             PAYABLE) ", :amount - max(debits - credits, 0), :kind, :object, :now"
                      " FROM ledger_account WHERE name = " RECEIVABLE
                      " AND :amount > max(debits - credits, 0)"},
         {ENTRY " SELECT " ACCOUNT(
             ":debit") ", n, min(:amount, debits - credits),"
                       " :kind, :object, :now FROM ledger_account WHERE name = " RECEIVABLE
                       " AND min(:amount, debits - credits) > 0"}},
    [OP_LEDGER_MIRROR] = {{ENTRY " SELECT credit, debit, amount, :as, object, :now"
                                 " FROM ledger_entry WHERE object = :object AND kind = :kind"
                                 " ORDER BY n DESC"}},

    [OP_IDEMPOTENCY_TAKE] = {{"INSERT INTO idempotency VALUES (:merchant, :path, :key, :hash,"
                              " :object, :status, :answer, :now)",
                              ONE, "idempotency"}},
    [OP_IDEMPOTENCY_ANSWER] = {{"UPDATE idempotency SET status = :status, answer = :answer,"
                                " object = coalesce(object, :object) WHERE merchant = :merchant"
                                " AND path = :path AND key = :key AND status IS NULL"}},

    [OP_ENDPOINT_ADD] =
        {{"INSERT INTO endpoint (id, merchant, url, secret, types, format, named,"
          " state, cursor, created, updated) VALUES (:id, :merchant, :url, :secret,"
          " :types, :format, :named, 'enabled', (SELECT coalesce(max(last), 0) FROM topic"
          " WHERE name = :merchant), :now, :now)",
          ONE, "endpoint"}},
    [OP_ENDPOINT_SET] = {{"UPDATE endpoint SET cursor = CASE WHEN state <> 'enabled'"
                          " AND :state = 'enabled' THEN (SELECT coalesce(max(last), 0) FROM topic"
                          " WHERE name = :merchant) ELSE cursor END,"
                          " failing_since = CASE WHEN state = :state THEN failing_since END,"
                          " url = :url, types = :types, state = :state, updated = :now"
                          " WHERE id = :id AND merchant = :merchant AND state <> 'deleted'",
                          ONE, "there is no such endpoint"},
                         {"UPDATE delivery SET state = 'dead', updated = :now"
                          " WHERE endpoint = :id AND state = 'waiting' AND :state <> 'enabled'"}},
    [OP_ENDPOINT_SECRET] = {{"UPDATE endpoint SET secret = :secret, old_secret = :old,"
                             " old_until = :old_until, updated = :now WHERE id = :id"
                             " AND merchant = :merchant AND state <> 'deleted'",
                             ONE, "there is no such endpoint"}},
    [OP_ENDPOINT_FAN] = {{"UPDATE endpoint SET cursor = :to WHERE id = :id AND cursor = :from"
                          " AND :to > :from AND state = 'enabled'",
                          ONE, "the endpoint has moved on"},
                         {"INSERT INTO delivery SELECT p.id, e.sequence, 'waiting', 0, :now, NULL,"
                          " NULL, :now, :now FROM endpoint p JOIN topic t ON t.name = p.merchant"
                          " JOIN event e ON e.topic = t.id WHERE p.id = :id AND e.sequence > :from"
                          " AND e.sequence <= :to AND (p.types = '*'"
                          " OR instr(p.types, ' ' || e.type || ' ') > 0) AND (p.named IS NULL"
                          " OR EXISTS (SELECT 1 FROM payment_url u WHERE u.n = p.named"
                          " AND u.payment = coalesce((SELECT payment FROM refund"
                          " WHERE id = e.object), e.object))) ON CONFLICT DO NOTHING"}},
    [OP_DELIVERY_MOVE] = {{"UPDATE delivery SET state = :state, tries = tries + 1,"
                           " due_at = :due_at, status = :status, error = :error, updated = :now"
                           " WHERE endpoint = :endpoint AND sequence = :sequence"
                           " AND state = 'waiting'",
                           ONE, "the delivery does not wait"},
                          {"UPDATE endpoint SET failing_since = CASE WHEN :state <> 'delivered'"
                           " THEN coalesce(failing_since, :now) END WHERE id = :endpoint"
                           " AND (failing_since IS NULL) <> (:state = 'delivered')"
                           /* one that had nothing to say: the endpoint was not asked */
                           " AND (:state <> 'delivered' OR :status IS NOT NULL)"}},
    [OP_DELIVERY_LATER] = {{"UPDATE delivery SET due_at = :due_at, updated = :now"
                            " WHERE endpoint = :endpoint AND sequence = :sequence"
                            " AND state = 'waiting'",
                            ONE, "the delivery does not wait"}},
    [OP_PAYMENT_URL_ADD] = {{"INSERT INTO payment_url VALUES (:payment, :n, :url)", ONE,
                             "payment url"}},
    [OP_DELIVERY_AGAIN] = {{"INSERT INTO delivery VALUES (:endpoint, :sequence, 'waiting', 0, :now,"
                            " NULL, NULL, :now, :now) ON CONFLICT (endpoint, sequence) DO UPDATE"
                            " SET state = 'waiting', tries = 0, due_at = :now, updated = :now"}},
    [OP_INBOX_ADD] = {{"INSERT INTO inbox (account, key, body, hash, state, reference, money_id,"
                       " amount, paid_at, payment, status, answer, at, updated) VALUES (:account,"
                       " :key, :body, :hash, :state, :reference, :money_id, :amount, :paid_at,"
                       " :payment, :status, :answer, :now, :now)",
                       ADDED, "inbox"}},
    [OP_INBOX_MOVE] = {{"UPDATE inbox SET state = :state, payment = :payment, updated = :now"
                        " WHERE id = :id AND (state = 'orphan' OR state = 'suspense')",
                        ONE, "it is no orphan any more"}},
    [OP_INBOX_ANSWER] = {{"UPDATE inbox SET status = :status, answer = :answer, updated = :now"
                          " WHERE id = :id AND status IS NULL"}},
    [OP_AUDIT_APPEND] = {{"INSERT INTO audit VALUES (:n, :at, :actor, :action, :object, :detail,"
                          " :prev, :hash)",
                          ONE, "audit"}},
};
