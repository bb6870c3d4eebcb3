/* The engine's schema, step by step. A step never changes after a release; a new one is added.
 * What must never happen is refused here as well as above: STRICT types, CHECKs, unique indexes,
 * and triggers (RAISE(ABORT)) for what may not change.
 *
 * job:        waiting -> running -> done
 *                ^         |-----> dead      gave up
 *                '---------'-----> lost      a `once` job found running after a crash
 *
 * operation:  sending    -> pending processing success failed expired cancelled superseded unknown
 *             pending    -> processing success failed expired cancelled superseded unknown
 *             processing -> pending success failed expired cancelled superseded unknown
 *             unknown    -> pending processing success failed cancelled superseded
 *                           (never expired, never sending again: it is asked until it is known)
 *             failed, expired, cancelled, superseded -> success    the provider changed its mind
 *             success    -> (nothing)
 * and each may stay where it is while its document changes (generation + 1 each time). */
#include "store/sqlite_private.h"

static const char STEP_1[] =
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE kv (scope TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
    " version INTEGER NOT NULL CHECK (version > 0), PRIMARY KEY (scope, key)) STRICT;"
    /* where the versions of a value that was deleted and comes again go on */
    "CREATE TABLE kv_floor (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)"
    " STRICT;"
    "INSERT INTO kv_floor VALUES (1, 0);"

    "CREATE TABLE once (scope TEXT NOT NULL, key TEXT NOT NULL, until INTEGER NOT NULL,"
    " taken INTEGER NOT NULL, PRIMARY KEY (scope, key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX once_until ON once (until);"

    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL CHECK (value > 0),"
    " until INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE INDEX counter_until ON counter (until);"

    "CREATE TABLE slot (pool TEXT NOT NULL, slot INTEGER NOT NULL, holder TEXT NOT NULL,"
    " until INTEGER NOT NULL, PRIMARY KEY (pool, slot)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX slot_until ON slot (pool, until);"

    "CREATE TABLE token (key TEXT PRIMARY KEY, value BLOB NOT NULL, refresh_at INTEGER NOT NULL,"
    " expires_at INTEGER NOT NULL) STRICT;"

    "CREATE TABLE topic (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
    " last INTEGER NOT NULL CHECK (last >= 0)) STRICT;"
    "CREATE TABLE event (topic INTEGER NOT NULL REFERENCES topic (id),"
    " sequence INTEGER NOT NULL CHECK (sequence > 0), type TEXT NOT NULL, object TEXT NOT NULL,"
    " doc BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (topic, sequence)) STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER event_stays BEFORE UPDATE ON event"
    " BEGIN SELECT RAISE(ABORT, 'events never change'); END;"
    "CREATE TRIGGER event_kept BEFORE DELETE ON event"
    " BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;"
    "CREATE TRIGGER topic_grows BEFORE UPDATE ON topic"
    " WHEN NEW.last <= OLD.last OR NEW.id <> OLD.id OR NEW.name <> OLD.name"
    " BEGIN SELECT RAISE(ABORT, 'a topic only grows'); END;"
    "CREATE TRIGGER topic_kept BEFORE DELETE ON topic"
    " BEGIN SELECT RAISE(ABORT, 'topics are never deleted'); END;"

    "CREATE TABLE job (id TEXT PRIMARY KEY, name TEXT NOT NULL, args BLOB NOT NULL,"
    " state TEXT NOT NULL CHECK ((state = 'waiting' OR state = 'running' OR state = 'done' OR "
    "state = 'dead' OR state = 'lost')),"
    " due_at INTEGER NOT NULL, priority INTEGER NOT NULL, once INTEGER NOT NULL"
    " CHECK (once IN (0, 1)), backoff TEXT, unique_key TEXT,"
    " attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), run INTEGER, error TEXT,"
    " created INTEGER NOT NULL, updated INTEGER NOT NULL,"
    " CHECK ((state = 'waiting') = (run IS NULL)), CHECK (state <> 'lost' OR once = 1))"
    " STRICT, WITHOUT ROWID;"
    "CREATE INDEX job_due ON job (due_at) WHERE state = 'waiting';"
    "CREATE INDEX job_running ON job (id) WHERE state = 'running';"
    "CREATE INDEX job_done ON job (updated) WHERE state = 'done';"
    "CREATE INDEX job_bad ON job (state, id) WHERE state IN ('dead', 'lost');"
    "CREATE UNIQUE INDEX job_unique ON job (unique_key)"
    " WHERE unique_key IS NOT NULL AND state IN ('waiting', 'running');"
    "CREATE TRIGGER job_moves BEFORE UPDATE OF state ON job WHEN NOT ("
    " (OLD.state = 'waiting' AND NEW.state = 'running') OR"
    " (OLD.state = 'running' AND (NEW.state = 'waiting' OR NEW.state = 'done' OR NEW.state = "
    "'dead' OR NEW.state = 'lost')))"
    " BEGIN SELECT RAISE(ABORT, 'job: no such move'); END;"
    "CREATE TRIGGER job_stays BEFORE UPDATE OF id, name, args, once, unique_key, created ON job"
    " BEGIN SELECT RAISE(ABORT, 'job: only its state changes'); END;"
    "CREATE TRIGGER job_kept BEFORE DELETE ON job WHEN OLD.state <> 'done'"
    " BEGIN SELECT RAISE(ABORT, 'job: only done ones are forgotten'); END;"
    "CREATE TABLE cron (name TEXT PRIMARY KEY, due_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    "CREATE TABLE operation (id TEXT PRIMARY KEY, kind TEXT NOT NULL, script TEXT NOT NULL,"
    " version TEXT NOT NULL, account TEXT NOT NULL, reference TEXT NOT NULL,"
    " status TEXT NOT NULL CHECK ((status = 'sending' OR status = 'pending' OR status = "
    "'processing' OR status = 'success' OR status = 'failed' OR status = 'expired' OR status = "
    "'cancelled' OR status = 'superseded' OR status = 'unknown')),"
    " generation INTEGER NOT NULL DEFAULT 1 CHECK (generation > 0),"
    " attempts INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0), doc BLOB NOT NULL,"
    " ask_at INTEGER, created INTEGER NOT NULL, updated INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX operation_reference ON operation (account, reference);"
    "CREATE INDEX operation_ask ON operation (ask_at) WHERE ask_at IS NOT NULL;"
    "CREATE INDEX operation_open ON operation (id)"
    " WHERE (status = 'sending' OR status = 'processing' OR status = 'unknown');"
    "CREATE TRIGGER operation_moves BEFORE UPDATE OF status ON operation"
    " WHEN NEW.status <> OLD.status AND NOT ("
    " ((OLD.status = 'sending' OR OLD.status = 'pending' OR OLD.status = 'processing') AND "
    "NEW.status <> 'sending') OR"
    " (OLD.status = 'unknown' AND NEW.status NOT IN ('sending', 'expired')) OR"
    " ((OLD.status = 'failed' OR OLD.status = 'expired' OR OLD.status = 'cancelled' OR OLD.status "
    "= 'superseded') AND NEW.status = 'success'))"
    " BEGIN SELECT RAISE(ABORT, 'operation: no such move'); END;"
    "CREATE TRIGGER operation_counts BEFORE UPDATE ON operation"
    " WHEN NEW.generation <> OLD.generation + 1"
    " BEGIN SELECT RAISE(ABORT, 'operation: each change counts one generation'); END;"
    "CREATE TRIGGER operation_stays BEFORE UPDATE OF id, kind, script, version, account,"
    " reference, created ON operation"
    " BEGIN SELECT RAISE(ABORT, 'operation: what was sent never changes'); END;"
    "CREATE TRIGGER operation_kept BEFORE DELETE ON operation"
    " BEGIN SELECT RAISE(ABORT, 'operations are never deleted'); END;"

    "CREATE TABLE script_text (hash TEXT PRIMARY KEY, text BLOB NOT NULL, at INTEGER NOT NULL)"
    " STRICT;"
    "CREATE TRIGGER script_text_stays BEFORE UPDATE ON script_text"
    " BEGIN SELECT RAISE(ABORT, 'script texts never change'); END;"
    "CREATE TABLE script_version (id INTEGER PRIMARY KEY, path TEXT NOT NULL,"
    " version TEXT NOT NULL, state TEXT NOT NULL"
    " CHECK ((state = 'live' OR state = 'staged' OR state = 'broken' OR state = 'deleted')), parts "
    "TEXT NOT NULL,"
    " at INTEGER NOT NULL) STRICT;"
    "CREATE INDEX script_version_path ON script_version (path, id);"
    "CREATE TABLE grant_ (provider TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,"
    " at INTEGER NOT NULL, PRIMARY KEY (provider, kind, value)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE migration (number INTEGER PRIMARY KEY CHECK (number > 0), name TEXT NOT NULL,"
    " text BLOB NOT NULL, at INTEGER NOT NULL) STRICT;";

/* A virtual account knows its customer by id, as a payment does. Events live for a while: the oldest
 * may go, up to a floor that is noted first and only rises, so that what is kept is still without a
 * gap from there to the head. */
static const char STEP_3[] =
    "ALTER TABLE virtual_account RENAME COLUMN name TO person;"
    "CREATE TABLE event_floor (topic INTEGER PRIMARY KEY REFERENCES topic (id),"
    " kept INTEGER NOT NULL CHECK (kept > 1)) STRICT;"
    "CREATE TRIGGER event_floor_rises BEFORE UPDATE ON event_floor"
    " WHEN NEW.kept <= OLD.kept OR NEW.topic <> OLD.topic"
    " BEGIN SELECT RAISE(ABORT, 'events: what is kept only rises'); END;"
    "CREATE TRIGGER event_floor_kept BEFORE DELETE ON event_floor"
    " BEGIN SELECT RAISE(ABORT, 'events: what is kept stays known'); END;"
    "DROP TRIGGER event_kept;"
    "CREATE TRIGGER event_kept BEFORE DELETE ON event WHEN OLD.sequence >="
    " coalesce((SELECT kept FROM event_floor WHERE topic = OLD.topic), 1)"
    " BEGIN SELECT RAISE(ABORT, 'events are never deleted before their time'); END;";

/* One cancel under way per attempt, whose reference it bears, with 8 characters of its own behind it:
 * the withdrawal of an older way is not in the way of the newer one's. */
static const char STEP_4[] =
    "DROP INDEX operation_cancel;"
    "CREATE UNIQUE INDEX operation_cancel ON operation (payment, account,"
    " substr(reference, 1, length(reference) - 8)) WHERE kind = 'cancel' AND (status = 'sending' "
    "OR status = 'pending' OR status = 'processing'"
    " OR status = 'unknown');"
    /* how an attempt is paid: the payment goes by the one that was */
    "ALTER TABLE operation ADD COLUMN method TEXT;"
    "ALTER TABLE operation ADD COLUMN bank TEXT;"
    "DROP TRIGGER operation_belongs;"
    "CREATE TRIGGER operation_belongs BEFORE UPDATE OF payment, amount, method, bank ON operation"
    " BEGIN SELECT RAISE(ABORT, 'operation: what was sent never changes'); END;";

/* Nobody's money becomes a payment's, with the way it came by. Where a refund is paid to has a key of
 * its own, and both can be forgotten. */
static const char STEP_5[] =
    "DROP TRIGGER movement_stays;"
    "CREATE TRIGGER movement_stays BEFORE UPDATE OF id, account, amount, source, paid_at, at"
    " ON movement"
    " BEGIN SELECT RAISE(ABORT, 'movement: money that came never changes'); END;"
    "DROP TRIGGER movement_claimed;"
    "CREATE TRIGGER movement_claimed BEFORE UPDATE OF money_id, payment, operation ON movement"
    " WHEN (OLD.money_id IS NOT NULL AND NEW.money_id IS NOT OLD.money_id)"
    " OR (OLD.payment IS NOT NULL AND (NEW.payment IS NOT OLD.payment"
    " OR NEW.operation IS NOT OLD.operation))"
    " BEGIN SELECT RAISE(ABORT, 'movement: it is claimed once'); END;"
    "ALTER TABLE refund ADD COLUMN destination_key BLOB;"
    "DROP TRIGGER refund_stays;"
    "CREATE TRIGGER refund_stays BEFORE UPDATE OF n, id, payment, merchant, amount, reason,"
    " operation, by, movement, created ON refund"
    " BEGIN SELECT RAISE(ABORT, 'refund: what was asked for never changes'); END;"
    "CREATE TRIGGER refund_forgets BEFORE UPDATE OF destination, destination_key ON refund"
    " WHEN NEW.destination IS NOT NULL OR NEW.destination_key IS NOT NULL"
    " BEGIN SELECT RAISE(ABORT, 'refund: what was asked for never changes'); END;";

/* In whose words an endpoint hears of events: ours, or those of a script of scripts/api. */
static const char STEP_6[] =
    "ALTER TABLE endpoint ADD COLUMN format TEXT NOT NULL DEFAULT 'standard';";

/* Events and stored answers carry a whole document, and a table WITHOUT ROWID keeps a quarter of a page
 * of a row in its place and puts the rest on a page of the row's own: each payment wrote two pages that
 * were nearly empty, and each key, random as it is, touched a page with room for three answers. As tables
 * with a rowid they grow at their end, three rows a page, and the key is an index of short entries. */
static const char STEP_7[] =
    "CREATE TABLE event_now (topic INTEGER NOT NULL REFERENCES topic (id),"
    " sequence INTEGER NOT NULL CHECK (sequence > 0), type TEXT NOT NULL, object TEXT NOT NULL,"
    " doc BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (topic, sequence)) STRICT;"
    "INSERT INTO event_now SELECT topic, sequence, type, object, doc, at FROM event;"
    "DROP TABLE event;"
    "ALTER TABLE event_now RENAME TO event;"
    "CREATE INDEX event_object ON event (object);"
    "CREATE TRIGGER event_stays BEFORE UPDATE ON event"
    " BEGIN SELECT RAISE(ABORT, 'events never change'); END;"
    "CREATE TRIGGER event_kept BEFORE DELETE ON event WHEN OLD.sequence >="
    " coalesce((SELECT kept FROM event_floor WHERE topic = OLD.topic), 1)"
    " BEGIN SELECT RAISE(ABORT, 'events are never deleted before their time'); END;"
    "CREATE TABLE idempotency_now (merchant TEXT NOT NULL, path TEXT NOT NULL, key TEXT NOT NULL,"
    " hash BLOB NOT NULL CHECK (length(hash) = 32), object TEXT, status INTEGER, answer BLOB,"
    " at INTEGER NOT NULL, CHECK ((status IS NULL) = (answer IS NULL)),"
    " PRIMARY KEY (merchant, path, key)) STRICT;"
    "INSERT INTO idempotency_now SELECT merchant, path, key, hash, object, status, answer, at"
    " FROM idempotency;"
    "DROP TABLE idempotency;"
    "ALTER TABLE idempotency_now RENAME TO idempotency;"
    "CREATE TRIGGER idempotency_stays BEFORE UPDATE ON idempotency WHEN OLD.status IS NOT NULL"
    " OR NEW.hash <> OLD.hash OR (OLD.object IS NOT NULL AND NEW.object IS NOT OLD.object)"
    " BEGIN SELECT RAISE(ABORT, 'idempotency: an answer is stored once'); END;";

/* What a merchant is in the eyes of Bank Indonesia: its discount rate of QRIS goes by it. */
static const char STEP_8[] = "ALTER TABLE merchant ADD COLUMN category TEXT;";

/* Nearly all jobs are of priority 0: apart, so that those due are read in order and none is sorted. */
static const char STEP_9[] =
    "DROP INDEX job_due;"
    "CREATE INDEX job_due ON job (due_at) WHERE state = 'waiting' AND priority = 0;"
    "CREATE INDEX job_due_apart ON job (due_at) WHERE state = 'waiting' AND priority <> 0;";

/* Where one payment's notifications go, named with it: up to three URLs. Their deliveries are those of an
 * endpoint per place in that list, which has no URL of its own. */
static const char STEP_10[] =
    "ALTER TABLE endpoint ADD COLUMN named INTEGER CHECK (named BETWEEN 1 AND 3);"
    "CREATE UNIQUE INDEX endpoint_named ON endpoint (merchant, format, named)"
    " WHERE named IS NOT NULL;"
    "CREATE TABLE payment_url (payment TEXT NOT NULL REFERENCES payment (id),"
    " n INTEGER NOT NULL CHECK (n BETWEEN 1 AND 3), url TEXT NOT NULL, PRIMARY KEY (payment, n))"
    " STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER payment_url_stays BEFORE UPDATE ON payment_url"
    " BEGIN SELECT RAISE(ABORT, 'payment_url: what was named never changes'); END;";

/* What nobody reads: when an operation is asked for is its job's, whether money passes us the account's. */
static const char STEP_11[] =
    "DROP INDEX operation_ask;"
    "ALTER TABLE operation DROP COLUMN ask_at;"
    "DROP TRIGGER payment_stays;"
    "ALTER TABLE payment DROP COLUMN direct;"
    "CREATE TRIGGER payment_stays BEFORE UPDATE OF n, id, merchant, order_id, amount,"
    " currency, person, doc, created ON payment"
    " BEGIN SELECT RAISE(ABORT, 'payment: what was asked for never changes'); END;";

/* Nobody's money that turns out to be what polling had booked for a payment goes out of the books, and its
 * id is that money's. */
static const char STEP_12[] =
    "DROP TRIGGER movement_claimed;"
    "CREATE TRIGGER movement_claimed BEFORE UPDATE OF money_id, payment, operation ON movement"
    " WHEN (OLD.money_id IS NOT NULL AND NEW.money_id IS NOT OLD.money_id AND NOT"
    " (NEW.money_id IS NULL AND NEW.payment IS NULL AND OLD.held = OLD.amount"
    " AND NEW.returned = NEW.amount))"
    " OR (OLD.payment IS NOT NULL AND (NEW.payment IS NOT OLD.payment"
    " OR NEW.operation IS NOT OLD.operation))"
    " BEGIN SELECT RAISE(ABORT, 'movement: it is claimed once'); END;";

/* Who holds a number finds it again: before, DOKU's channels kept each beside it, in a store of their own
 * that took a thousand. Numbers of an account of the merchant's own are its own. */
static const char STEP_13[] =
    "UPDATE slot SET holder = coalesce((SELECT o.account || ' ' || o.reference FROM operation o"
    " WHERE o.account >= 'doku' AND o.account < 'doku0' AND o.reference = slot.holder"
    " AND o.kind = 'create' ORDER BY o.created DESC LIMIT 1), holder)"
    " WHERE pool >= 'doku:va ' AND pool < 'doku:va!';"
    "DELETE FROM kv WHERE scope = 'doku' AND key >= 'doku:va ' AND key < 'doku:va!';"
    "CREATE INDEX slot_holder ON slot (pool, holder, until) WHERE holder <> '';";

const char *const SCHEMA_STEPS[] = {STEP_1, SCHEMA_CORE, STEP_3,  STEP_4,  STEP_5,  STEP_6, STEP_7,
                                    STEP_8, STEP_9,      STEP_10, STEP_11, STEP_12, STEP_13};
const int SCHEMA_STEP_COUNT = sizeof SCHEMA_STEPS / sizeof SCHEMA_STEPS[0];
