/* The table. Order is the order of help. */
#include "cli/cli.h"

#define DATA_OPTION                                                                        \
    {                                                                                      \
        "data", "DIR", SET_LUWAK_DATA, NULL,                                               \
            "Directory of the database, its lock and the control socket (default ./data)." \
    }
#define ROOT_OPTION                                                                             \
    {                                                                                           \
        "root", "DIR", SET_LUWAK_ROOT, NULL,                                                    \
            "Folder that holds channels/, rules/ and scripts/; found by itself when not given." \
    }
#define SIMULATED_OPTION                                                                      \
    {                                                                                         \
        "simulated", NULL, SET_LUWAK_ENV, NULL,                                               \
            "Same as LUWAK_ENV=simulated: every provider is our simulator, no key is needed." \
    }
#define JSON_OPTION \
    { "json", NULL, NO_SETTING, NULL, "One JSON object per line." }
#define OPTIONS(...)              \
    (const struct cli_option[]) { \
        __VA_ARGS__               \
    }
#define ARGS(...)              \
    (const struct cli_arg[]) { \
        __VA_ARGS__            \
    }
#define EXAMPLES(...)       \
    (const char *const[]) { \
        __VA_ARGS__, NULL   \
    }

const struct cli_option CLI_COMMON[] = {
    {"help", NULL, NO_SETTING, NULL, "Show this help."},
    {"env-file", "FILE", NO_SETTING, NULL, "Read this file in place of ./.env."},
    {0},
};

const struct cli_command CLI_COMMANDS[] = {
    {
        .name = "serve",
        .summary = "Serve HTTP: the API, callbacks, jobs, pages",
        .about = "Migrates the database when needed, loads every script, then serves until SIGTERM "
                 "or SIGINT. Prints `listening on ADDRESS` when it is ready. A saved script serves "
                 "within a second; SIGHUP looks at all of them at once.\n\n"
                 "It must be told what it is for, by LUWAK_ENV or --simulated. A data directory "
                 "belongs to one environment and one running server.",
        .args = ARGS({0}),
        .options = OPTIONS(SIMULATED_OPTION,
                           {"listen", "HOST:PORT", SET_LUWAK_LISTEN, NULL,
                            "Address to serve on (default 127.0.0.1:8080)."},
                           DATA_OPTION, ROOT_OPTION,
                           {"workers", "N", SET_LUWAK_WORKERS, NULL,
                            "Worker threads; by default as many as fit the machine."},
                           {0}),
        .examples = EXAMPLES("luwak serve --simulated", "try everything on this machine",
                             "LUWAK_ENV=production luwak serve --listen 0.0.0.0:443 --data "
                             "/var/lib/luwak",
                             "serve for real; LUWAK_DATA_KEY and the providers' keys must be set"),
        .run = cmd_serve,
    },
    {
        .name = "run",
        .summary = "Run a one-off script with the whole engine",
        .about = "Runs FILE, a tool as scripts/tools/ holds them, once. What follows FILE belongs "
                 "to the script, as its `args` say; `luwak run FILE --help` shows them. Beside a "
                 "running server it works through the server's control socket.\n\n"
                 "With --dry-run it works on a copy of the data, and requests that would have an "
                 "effect are printed in place of being sent.",
        .args = ARGS({"FILE", ARG_ONE, NULL, "The script."},
                     {"ARG", ARG_ANY, NULL, "The script's own arguments and options."}, {0}),
        .options = OPTIONS({"dry-run", NULL, NO_SETTING, NULL,
                            "Change nothing and send nothing; show what would be."},
                           {"record", "FILE", NO_SETTING, NULL,
                            "Write the HTTP exchanges, redacted, for t.http.replay in tests."},
                           SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .examples =
            EXAMPLES("luwak run scripts/tools/reconcile.lua midtrans settlement.csv --dry-run",
                     "see what a provider's file would book"),
        .run = cmd_run,
        .script_args = true,
    },
    {
        .name = "check",
        .summary = "Find what is wrong in scripts before they are live",
        .about = "Looks for syntax errors, unknown globals, tables that do not fit their kind's "
                 "contract and configuration that is missing: an error for the environment that "
                 "LUWAK_ENV names, none with --simulated, only noted when neither is given. "
                 "Without FILE it checks every script under the root.",
        .args = ARGS({"FILE", ARG_ANY, NULL, "Scripts or folders."}, {0}),
        .options = OPTIONS(JSON_OPTION,
                           {"write", "DIR", NO_SETTING, NULL,
                            "Only write .luacheckrc, type stubs for editors and the script "
                            "reference into DIR."},
                           SIMULATED_OPTION, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak check channels/bni_va.lua", "check one channel"),
        .run = cmd_check,
    },
    {
        .name = "test",
        .summary = "Run Lua tests with a fake clock and replayed HTTP",
        .about = "Runs the tests in FILE, or every *_test.lua under tests, examples and beside "
                 "the scripts. Each test has an engine of its own: a store in memory, a clock that "
                 "only the test moves, HTTP that is answered by the test, a recording or the "
                 "simulators.",
        .args = ARGS({"FILE", ARG_ANY, NULL, "Tests or folders."}, {0}),
        .options = OPTIONS(
            {"filter", "TEXT", NO_SETTING, NULL, "Only tests whose name contains TEXT."},
            {"seed", "N", NO_SETTING, NULL, "Seed of the random numbers."}, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak test tests/lua/bni_va_test.lua", "run one file"),
        .run = cmd_test,
    },
    {
        .name = "conform",
        .summary = "Hold a channel against the suite that every channel passes",
        .about =
            "Runs the conformance suite on a fake clock against the channel's simulator: paid, "
            "told twice, late, short, refused, unanswered before and after the debit, cancelled, "
            "refunded, wrongly signed, and more. Prints what passed and what the channel does "
            "not offer, and writes an evidence file: requests, what was signed, answers and "
            "times, without secrets.",
        .args = ARGS({"CHANNEL", ARG_OPTIONAL, NULL, "The channel's name."}, {0}),
        .options = OPTIONS(
            {"all", NULL, NO_SETTING, NULL, "Every channel under the root."},
            {"check", "TEXT", NO_SETTING, NULL, "Only checks whose name contains TEXT."},
            {"table", "FORM", NO_SETTING, "markdown", "Print the channels as a table instead."},
            {"evidence", "DIR", NO_SETTING, NULL,
             "Where CHANNEL.txt is written (default build/conform)."},
            ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak conform midtrans_qris", "one channel, check by check",
                             "luwak conform --all --table markdown", "the table in the README"),
        .run = cmd_conform,
    },
    {
        .name = "new",
        .summary = "Write a new channel, rule, biller or tool with its test",
        .about = "Writes a working file and its test under the root that every command finds (or "
                 "--root), prints where, and says what to do next. It never overwrites. A channel "
                 "without --like has no other side: nobody answers it in simulated mode.",
        .args = ARGS({"KIND", ARG_ONE, "channel|rule|biller|tool", "What to write."},
                     {"NAME", ARG_ONE, NULL,
                      "Its name: small letters, digits and _; a channel's begins with its "
                      "provider's."},
                     {0}),
        .options = OPTIONS({"like", "METHOD", NO_SETTING, "va|bill|retail|qris|wallet|card",
                            "A whole channel of this kind, with its simulator and its play."},
                           ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak new channel bni_va", "channels/bni_va.lua and its test",
                             "luwak new channel acme_va --like va",
                             "a channel that passes `luwak conform acme_va` at once"),
        .run = cmd_new,
    },
    {
        .name = "migrate",
        .summary = "Bring the database up to date",
        .about = "Applies the engine's own steps, then those in scripts/migrations, each once, in "
                 "order. `luwak serve` does the same at its start. Refused while a server runs.",
        .args = ARGS({0}),
        .options = OPTIONS({"dry-run", NULL, NO_SETTING, NULL, "Only list what is due."},
                           SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .run = cmd_migrate,
    },
    {
        .name = "simulate",
        .summary = "Run a whole engine from a seed, in virtual time",
        .about = "One worker, virtual time, a disk that crashes: what happens follows from the "
                 "seed alone, so a failing seed replays exactly and prints its story.",
        .args = ARGS({0}),
        .options = OPTIONS({"seed", "N", NO_SETTING, NULL, "First seed (default: a random one)."},
                           {"count", "N", NO_SETTING, NULL, "How many seeds (default 1)."},
                           {"steps", "N", NO_SETTING, NULL,
                            "Steps per seed (default 10000); payments, with --payments."},
                           {"payments", NULL, NO_SETTING, NULL,
                            "Payments on every channel, through the merchant API; else bare "
                            "operations of the demo wallet."},
                           {"story", NULL, NO_SETTING, NULL, "Print what happens, step by step."},
                           ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak simulate --seed 42 --story", "replay seed 42"),
        .run = cmd_simulate,
    },
    {
        .name = "scripts",
        .summary = "List script versions, compare them, go back",
        .about = "list shows every script with its live version and what waits; history the "
                 "versions of FILE; diff what changed between two of them (by default the live one "
                 "and the file); rollback writes the version before the live one, or the one given "
                 "by --to, back to the folder; beside a server this command writes it.",
        .args = ARGS({"ACTION", ARG_ONE, "list|history|diff|rollback", "What to do."},
                     {"FILE", ARG_OPTIONAL, NULL, "The script; not for list."}, {0}),
        .options = OPTIONS({"from", "VERSION", NO_SETTING, NULL, "diff: the older version."},
                           {"to", "VERSION", NO_SETTING, NULL,
                            "diff: the newer version; rollback: the version to go back to."},
                           SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak scripts rollback channels/bni_va.lua",
                             "serve the version before this one again"),
        .run = cmd_scripts,
    },
    {
        .name = "deploy",
        .summary = "Let a staged script go live",
        .about = "With LUWAK_SCRIPTS=staged a saved script is checked, its plays run, and then it "
                 "waits; this makes it serve on every worker. Its plays are the tests below "
                 "tests/lua and tests/plays that are named after it or after a module it "
                 "requires: NAME_test.lua, NAME_..._test.lua. A version whose plays fail is broken "
                 "until it or they are mended.",
        .args = ARGS({"FILE", ARG_MANY, NULL, "Scripts that wait."}, {0}),
        .options = OPTIONS(SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak deploy channels/bni_va.lua", "go live with what was checked"),
        .run = cmd_deploy,
    },
    {
        .name = "grant",
        .summary = "Allow a provider its hosts, keys and private networks",
        .about =
            "In production a provider's scripts call only hosts and see only keys that were "
            "granted here, and a version that asks for more is held back until it is granted; the "
            "old "
            "one serves meanwhile. Without options it shows what the scripts ask for and what they "
            "have. Without PROVIDER it lists all.",
        .args = ARGS({"PROVIDER", ARG_OPTIONAL, NULL, "The provider's name."}, {0}),
        .options = OPTIONS(
            {"yes", NULL, NO_SETTING, NULL, "Grant all that its scripts ask for."},
            {"host", "HOST", NO_SETTING, NULL, "Grant this host; several with commas between."},
            {"key", "NAME", NO_SETTING, NULL, "Grant this configuration key, or keys."},
            {"network", "CIDR", NO_SETTING, NULL, "Grant this private network, or networks."},
            {"revoke", NULL, NO_SETTING, NULL,
             "Take back what the other options name, or everything."},
            SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak grant bni --yes", "grant what the BNI scripts declare"),
        .run = cmd_grant,
    },
    {
        .name = "listen",
        .summary = "Show a merchant's events as they happen, and forward them",
        .about = "For a developer at a terminal, beside a running server: prints each event of the "
                 "merchant from now on. With --forward it posts them to URL as webhooks, one after "
                 "the other, signed as Standard Webhooks says with the secret that it prints at "
                 "its start, and shows what URL answered; nothing is sent twice. Endpoints of the "
                 "merchant get theirs all the same. Ends with Ctrl-C, or with 1 when the server "
                 "goes away.",
        .args = ARGS({0}),
        .options = OPTIONS({"forward", "URL", NO_SETTING, NULL,
                            "Where to post them; your own machine is allowed."},
                           {"key", "KEY", NO_SETTING, NULL,
                            "An API key of the merchant; in simulated mode the demo shop's by "
                            "default."},
                           JSON_OPTION, SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak listen --simulated --forward http://127.0.0.1:3000/webhooks",
                             "webhooks of the demo shop for a shop under development"),
        .run = cmd_listen,
    },
    {
        .name = "merchant",
        .summary = "Add, list, suspend merchants",
        .about = "new prints the merchant's id; its first key comes from `luwak key new`. A "
                 "suspended merchant may only read. Beside a running server it works through the "
                 "control socket.",
        .args = ARGS({"ACTION", ARG_ONE, "new|list|suspend|resume|category", "What to do."},
                     {"MERCHANT", ARG_OPTIONAL, NULL, "Its id; not for new and list."}, {0}),
        .options = OPTIONS(
            {"name", "NAME", NO_SETTING, NULL, "new: what it is called."},
            {"rate", "N", NO_SETTING, NULL,
             "new: requests a minute (default 100); 0 for no limit."},
            {"allow", "LIST", NO_SETTING, NULL,
             "new: addresses and networks it may call from, with spaces between."},
            {"category", "WORD", NO_SETTING,
             "UMI|UKE|UME|UBE|URE|EDUCATION|SOCIAL|GOVERNMENT|FUEL|BLU|PSO",
             "new, category: what it is in the eyes of Bank Indonesia (UMI, UKE, UME, UBE, "
             "EDUCATION, SOCIAL, GOVERNMENT, FUEL, BLU, PSO; URE: none of them): QRIS costs "
             "by it."},
            {"direct", NULL, NO_SETTING, NULL,
             "new: it means to have provider contracts of its own. Shown by list, no more: "
             "what passes us and what does not, the account decides that a payment goes "
             "by (luwak account)."},
            SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak merchant new --name \"Warung Kopi\"", "prints mer_..."),
        .run = cmd_merchant,
    },
    {
        .name = "key",
        .summary = "Make, list, revoke API keys",
        .about = "new prints the key's id and the key, once: it is kept sealed and found by its "
                 "hash. Keys begin with sk_live_ in production, with sk_test_ elsewhere. What is "
                 "revoked stays so.",
        .args = ARGS({"ACTION", ARG_ONE, "new|list|revoke", "What to do."},
                     {"MERCHANT", ARG_ONE, NULL, "Whose key."},
                     {"KEY", ARG_OPTIONAL, NULL, "The key's id; for revoke."}, {0}),
        .options = OPTIONS({"label", "TEXT", NO_SETTING, NULL, "new: what it is for."},
                           SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak key new mer_... --label shop", "prints key_... and sk_..."),
        .run = cmd_key,
    },
    {
        .name = "account",
        .summary = "Add and list accounts at providers",
        .about = "new reads the account's keys from standard input, one JSON object of names and "
                 "texts, so that they are in no command line, and keeps them sealed under "
                 "LUWAK_DATA_KEY; the same account again changes them. list never shows them. "
                 "What such a merchant pays through that provider is asked for with these keys "
                 "only, and the provider calls back at /callbacks/PROVIDER/MERCHANT.",
        .args = ARGS({"ACTION", ARG_ONE, "new|list", "What to do."},
                     {"PROVIDER", ARG_OPTIONAL, NULL, "new: the provider, e.g. midtrans."}, {0}),
        .options =
            OPTIONS({"merchant", "MERCHANT", NO_SETTING, NULL,
                     "new: whose own account it is. The shared one's keys are configuration."},
                    SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak account new midtrans --merchant mer_... < keys.json",
                             "a merchant's own contract"),
        .run = cmd_account,
    },
    {
        .name = "person",
        .summary = "Export or erase a person's data",
        .about = "export prints all that names the person, and its payments' ids, as one JSON "
                 "object. erase deletes the key of the sealed data and the raw callbacks of its "
                 "payments, for good; payments, ledger and events stay, and every chain still "
                 "verifies. Both leave a line in the audit log.",
        .args = ARGS({"ACTION", ARG_ONE, "export|erase", "What to do."},
                     {"PERSON", ARG_ONE, NULL,
                      "Its id, per_...; `luwak explain PAYMENT` shows a payment's."},
                     {0}),
        .options = OPTIONS(SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak person export per_...", "what is known of somebody"),
        .run = cmd_person,
    },
    {
        .name = "explain",
        .summary = "Tell a payment's whole life",
        .about =
            "From the store: what was asked, the script versions and fee lines, then everything "
            "that happened in order: attempts, callbacks, transitions, money, ledger entries, "
            "webhooks, notes; and what is still due. Customers are shown by id only. Beside a "
            "running server it works through the control socket.",
        .args = ARGS({"PAYMENT", ARG_ONE, NULL, "Its id, an order id, or a provider's reference."},
                     {0}),
        .options = OPTIONS({"json", NULL, NO_SETTING, NULL, "All of it as one JSON object."},
                           SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak explain pay_...", "what became of it, and why"),
        .run = cmd_run,
        .tool = "scripts/tools/explain.lua",
    },
    {
        .name = "backtest",
        .summary = "Show what a rule would have changed",
        .about = "Asks the rules again about the payments since then, with FILE as if it lay among "
                 "them, in place of the file of its path: payment by payment what would have been "
                 "otherwise, then in sum. FILE need not serve; what is already priced does not "
                 "change. Counts per customer are not kept: risk rules see 0 for them.",
        .args = ARGS({"FILE", ARG_ONE, NULL, "The rule: fee, routing, risk or policy."}, {0}),
        .options = OPTIONS({"since", "TIME", NO_SETTING, NULL,
                            "How far back, 30d or 12h, or a day, 2026-01-31 (default 30d)."},
                           {"csv", "FILE", NO_SETTING, NULL,
                            "Write every payment that was asked about, changed or not."},
                           SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .examples = EXAMPLES("luwak backtest rules/fees/midtrans_va.lua --since 30d",
                             "what the edited rule would have cost"),
        .run = cmd_run,
        .tool = "scripts/tools/backtest.lua",
    },
    {
        .name = "config",
        .summary = "Show every setting, its value and where it comes from",
        .about = "Secrets are masked. Ends with 1 when something is wrong, after a line for each "
                 "problem. Settings come from the environment, from systemd credentials and from "
                 ".env, in this order; an empty value counts as not set; ${NAME} expands.",
        .args = ARGS({0}),
        .options = OPTIONS(SIMULATED_OPTION, DATA_OPTION, ROOT_OPTION, {0}),
        .run = cmd_config,
    },
    {
        .name = "backup",
        .summary = "Copy the database, online",
        .about = "Writes a consistent copy, checks it, then gives it its name; beside a running "
                 "server too. An existing FILE is not touched.",
        .args = ARGS({"FILE", ARG_ONE, NULL, "Where the copy goes."}, {0}),
        .options = OPTIONS(SIMULATED_OPTION, DATA_OPTION, {0}),
        .examples = EXAMPLES("luwak backup /backup/luwak-$(date +%F).db", "a nightly copy"),
        .run = cmd_backup,
    },
    {
        .name = "verify",
        .summary = "Check the database and every invariant",
        .about = "Checks the file's structure and every invariant of the data. With FILE it checks "
                 "a backup. Ends with 1 when it found something.",
        .args = ARGS({"FILE", ARG_OPTIONAL, NULL, "A backup; by default the data directory."}, {0}),
        .options = OPTIONS(SIMULATED_OPTION, DATA_OPTION, {0}),
        .run = cmd_verify,
    },
    {
        .name = "completion",
        .summary = "Print completion for a shell",
        .about = "Prints a script for the shell to read.",
        .args = ARGS({"SHELL", ARG_ONE, "bash|zsh|fish", "The shell."}, {0}),
        .options = OPTIONS({0}),
        .examples = EXAMPLES("source <(luwak completion bash)", "use it in this shell"),
        .run = cmd_completion,
    },
    {
        .name = "help",
        .summary = "Show help",
        .about = "Shows the list of commands, or the help of one.",
        .args = ARGS({"COMMAND", ARG_OPTIONAL, NULL, "A command."}, {0}),
        .options = OPTIONS({0}),
        .run = cmd_help,
    },
    {
        .name = "version",
        .summary = "Print the version",
        .about = "Prints the version of luwak and of the script API.",
        .args = ARGS({0}),
        .options = OPTIONS({0}),
        .run = cmd_version,
    },
    {
        .name = "man",
        .summary = "Print the man page",
        .about = "Prints the man page in troff, as it is installed.",
        .args = ARGS({0}),
        .options = OPTIONS({0}),
        .run = cmd_man,
        .hidden = true,
    },
    {0},
};
