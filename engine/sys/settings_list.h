/* Every setting, once: X(NAME, TYPE, default or NULL, min, max, choices or NULL, flags, doc).
 * Durations are milliseconds, sizes bytes. From this list come the checks, `luwak config`, its help
 * and the man page. */

#define SECOND_ ((int64_t)1000)
#define DAY_    ((int64_t)86400000)
#define MB_     ((int64_t)1048576)

#define SETTINGS_LUWAK(X)                                                                          \
    X(LUWAK_ENV, ENUM, NULL, 0, 0, "simulated|sandbox|staging|production", SETTING_PLAIN,          \
      "What this engine is for; sandbox means the providers' own test hosts. One per data "        \
      "directory.")                                                                                \
    X(LUWAK_LISTEN, ADDRESS, "127.0.0.1:8080", 0, 0, NULL, SETTING_PLAIN,                          \
      "HOST:PORT to serve on; [ADDRESS]:PORT for IPv6.")                                           \
    X(LUWAK_DATA, PATH, "./data", 0, 0, NULL, SETTING_PLAIN,                                       \
      "Directory of the database, its lock and the control socket.")                               \
    X(LUWAK_ROOT, PATH, NULL, 0, 0, NULL, SETTING_PLAIN,                                           \
      "Folder that holds channels/, rules/ and scripts/; found by itself when not set.")           \
    X(LUWAK_WORKERS, INT, "0", 0, 256, NULL, SETTING_PLAIN, "Worker threads; 0 fits the machine.") \
    X(LUWAK_DATA_KEY, KEY32, NULL, 0, 0, NULL, SETTING_SECRET | SETTING_NEEDED,                    \
      "32 bytes, base64 or hex, that seal personal data and keys. Make one: openssl rand -base64 " \
      "32")                                                                                        \
    X(LUWAK_PUBLIC_URL, URL, NULL, 0, 0, NULL, SETTING_PLAIN,                                      \
      "Where the world reaches us; callback and checkout URLs are made from it.")                  \
    X(LUWAK_SCRIPTS, ENUM, NULL, 0, 0, "auto|staged", SETTING_PLAIN,                               \
      "auto: a saved script serves at once; staged: it waits for `luwak deploy` (default in "      \
      "production).")                                                                              \
    X(LUWAK_LOG, ENUM, "auto", 0, 0, "auto|json|text", SETTING_PLAIN,                              \
      "Format of log lines; auto is text on a terminal, JSON elsewhere.")                          \
    X(LUWAK_LOG_LEVEL, ENUM, "info", 0, 0, "debug|info|warn|error", SETTING_PLAIN,                 \
      "The least level that is logged.")                                                           \
    X(LUWAK_TLS_CERT, PATH, NULL, 0, 0, NULL, SETTING_PLAIN,                                       \
      "Certificate chain (PEM); with it we serve HTTPS. Read again when the file changes.")        \
    X(LUWAK_TLS_KEY, PATH, NULL, 0, 0, NULL, SETTING_PLAIN, "Its private key (PEM).")              \
    X(LUWAK_TLS_CLIENT_CA, PATH, NULL, 0, 0, NULL, SETTING_PLAIN,                                  \
      "Client certificates signed by this CA (PEM) are required.")                                 \
    X(LUWAK_TRUSTED_PROXIES, NETWORKS, NULL, 0, 0, NULL, SETTING_PLAIN,                            \
      "Proxies whose X-Forwarded-For we believe: addresses or networks, separated by commas.")     \
    X(LUWAK_CA_FILE, PATH, NULL, 0, 0, NULL, SETTING_PLAIN,                                        \
      "Certificate authorities (PEM) for calls to providers; the system's when not set.")          \
    X(LUWAK_CREATE_WAIT, DURATION, "20s", SECOND_, 120 * SECOND_, NULL, SETTING_PLAIN,             \
      "How long a create call waits for the provider; then it answers with what stands: a "        \
      "payment "                                                                                   \
      "processing, an operation sending.")                                                         \
    X(LUWAK_ASK_RATE, INT, "600", 2, 1000000, NULL, SETTING_PLAIN,                                 \
      "Questions in a minute to one provider account about what is open; half of them are kept "   \
      "for what has no answer.")                                                                   \
    X(LUWAK_SHUTDOWN_WAIT, DURATION, "75s", 0, 600 * SECOND_, NULL, SETTING_PLAIN,                 \
      "After SIGTERM: how long what runs may finish.")                                             \
    X(LUWAK_MAX_CONNECTIONS, INT, "4096", 1, 1000000, NULL, SETTING_PLAIN,                         \
      "Connections at once, all workers together.")                                                \
    X(LUWAK_MAX_BODY, SIZE, "1MB", 1024, 64 * MB_, NULL, SETTING_PLAIN, "Largest request body.")   \
    X(LUWAK_METRICS_TOKEN, SECRET, NULL, 0, 0, NULL, SETTING_SECRET,                               \
      "Bearer token that /metrics asks for; without it only this machine may read them, in "       \
      "production nobody.")

#define SETTINGS_PAYMENT(X)                                                                      \
    X(PAYMENT_GATEWAY, TEXT, NULL, 0, 0, NULL, SETTING_PLAIN,                                    \
      "Provider that PAYMENT_SERVER_KEY, PAYMENT_CLIENT_KEY and PAYMENT_MERCHANT_ID belong to.") \
    X(PAYMENT_ENV, ENUM, NULL, 0, 0, "sandbox|staging|production", SETTING_PLAIN,                \
      "Must agree with LUWAK_ENV unless that is simulated.")                                     \
    X(PAYMENT_SERVER_KEY, SECRET, NULL, 0, 0, NULL, SETTING_SECRET,                              \
      "Server key of the provider PAYMENT_GATEWAY names.")                                       \
    X(PAYMENT_CLIENT_KEY, SECRET, NULL, 0, 0, NULL, SETTING_SECRET,                              \
      "Client key of the provider PAYMENT_GATEWAY names.")                                       \
    X(PAYMENT_MERCHANT_ID, TEXT, NULL, 0, 0, NULL, SETTING_PLAIN,                                \
      "Merchant id at the provider PAYMENT_GATEWAY names.")                                      \
    X(PAYMENT_SUCCESS_URL, URL, NULL, 0, 0, NULL, SETTING_PLAIN,                                 \
      "Where a payer goes after success when the order does not say.")                           \
    X(PAYMENT_FAILURE_URL, URL, NULL, 0, 0, NULL, SETTING_PLAIN,                                 \
      "Where a payer goes after failure when the order does not say.")                           \
    X(PAYMENT_WEBHOOK_URL, URL, NULL, 0, 0, NULL, SETTING_PLAIN,                                 \
      "Callback URL told to providers, in place of the one made from LUWAK_PUBLIC_URL.")         \
    X(PAYMENT_ENABLE_3DS, BOOL, "true", 0, 0, NULL, SETTING_PLAIN,                               \
      "Cards are authenticated by 3-D Secure.")                                                  \
    X(PAYMENT_FRAUD_DETECTION, BOOL, "true", 0, 0, NULL, SETTING_PLAIN, "Risk rules are asked.") \
    X(PAYMENT_WEBHOOK_TIMEOUT, DURATION, "15s", SECOND_, 120 * SECOND_, NULL, SETTING_PLAIN,     \
      "How long a merchant's webhook endpoint may take; a plain number is seconds.")             \
    X(PAYMENT_SETTLEMENT_DAYS, INT, "1", 0, 30, NULL, SETTING_PLAIN,                             \
      "Working days until money is available to a merchant.")                                    \
    X(PAYMENT_EXPIRY_HOURS, INT, "24", 1, 720, NULL, SETTING_PLAIN,                              \
      "When an unpaid payment expires, where the channel does not say.")                         \
    X(PAYMENT_RETRY_ATTEMPTS, INT, "4", 1, 10, NULL, SETTING_PLAIN,                              \
      "Calls of one attempt, the first one too: after 5, 25, 125 s, where nothing was made.")

#define SETTINGS_MAP(X) SETTINGS_LUWAK(X) SETTINGS_PAYMENT(X)
