/* Settings: names, values, sources, references, aliases, and that nothing secret is shown. */
#include "base/mem.h"
#include "base/nearest.h"
#include "sys/config.h"
#include "unit.h"

#include <stdio.h>
#include <sys/stat.h>

#define ENVIRONMENT(...) ((const char *const[]){__VA_ARGS__, NULL})
#define NONE             ((const char *const[]){NULL})
#define KEY_HEX          "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_BASE64       "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static const char *write_file(const char *name, const char *text, mode_t mode) {
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", unit_tmpdir(), name);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    fputs(text, f);
    fclose(f);
    CHECK_INT(chmod(path, mode), 0);
    return path;
}

static struct config *load_all(const char *const *environment, const char *dotenv) {
    struct config *c = NULL;
    struct why why = {0};
    struct config_sources sources = {.environment = environment};
    if (dotenv != NULL) sources.env_file = write_file(".env", dotenv, 0600);
    CHECK_OK(config_load(&c, &sources, &why));
    return c;
}

/* The first problem, or "" */
static void check_problem(const char *const *environment, const char *dotenv,
                          const char *expected) {
    struct config *c = load_all(environment, dotenv);
    const char *got = config_problem(c, 0);
    char shown[600] = "", prefix[600];
    snprintf(prefix, sizeof prefix, "%s/", unit_tmpdir());
    if (got != NULL) {
        bool below = strncmp(got, prefix, strlen(prefix)) == 0;
        snprintf(shown, sizeof shown, "%s", below ? got + strlen(prefix) : got);
    }
    CHECK_STR(str_of(shown), expected);
    config_free(c);
}

static void defaults_stand(void **state) {
    (void)state;
    struct config *c = load_all(NONE, NULL);
    CHECK_INT(config_problem_count(c), 0);
    CHECK_INT(config_env(c), ENV_UNSET);
    CHECK_STR(str_of(config_text(c, SET_LUWAK_LISTEN)), "127.0.0.1:8080");
    CHECK_INT(config_number(c, SET_LUWAK_CREATE_WAIT), 20000);
    CHECK_INT(config_number(c, SET_LUWAK_MAX_BODY), 1048576);
    CHECK(config_text(c, SET_LUWAK_ROOT) == NULL);
    CHECK(!config_given(c, SET_LUWAK_LISTEN));
    config_free(c);
}

static void values_mean_what_they_say(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum setting_id id;
        int64_t number;
    } cases[] = {
        {"LUWAK_CREATE_WAIT=1500ms", SET_LUWAK_CREATE_WAIT, 1500},
        {"LUWAK_CREATE_WAIT=2m", SET_LUWAK_CREATE_WAIT, 120000},
        {"LUWAK_CREATE_WAIT=30", SET_LUWAK_CREATE_WAIT, 30000},
        {"PAYMENT_WEBHOOK_TIMEOUT=30", SET_PAYMENT_WEBHOOK_TIMEOUT, 30000},
        {"LUWAK_MAX_BODY=64kB", SET_LUWAK_MAX_BODY, 65536},
        {"LUWAK_MAX_BODY=2M", SET_LUWAK_MAX_BODY, 2097152},
        {"LUWAK_WORKERS=4", SET_LUWAK_WORKERS, 4},
        {"PAYMENT_ENABLE_3DS=no", SET_PAYMENT_ENABLE_3DS, 0},
        {"PAYMENT_ENABLE_3DS=TRUE", SET_PAYMENT_ENABLE_3DS, 1},
        {"LUWAK_LOG_LEVEL=error", SET_LUWAK_LOG_LEVEL, 3},
        {"LUWAK_ENV=production", SET_LUWAK_ENV, ENV_PRODUCTION},
        {"LUWAK_WORKERS=", SET_LUWAK_WORKERS, 0}, /* empty: not set */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *c = load_all(ENVIRONMENT(cases[i].text), NULL);
        CHECK_INT(config_problem_count(c), 0);
        CHECK_INT(config_number(c, cases[i].id), cases[i].number);
        config_free(c);
    }
}

static void bad_values_are_refused_in_one_line(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"LUWAK_WORKERS=abc", "LUWAK_WORKERS=abc must be a whole number"},
        {"LUWAK_WORKERS=4x", "LUWAK_WORKERS=4x must be a whole number"},
        {"LUWAK_WORKERS=257", "LUWAK_WORKERS=257 must be from 0 to 256"},
        {"LUWAK_WORKERS=99999999999999999999",
         "LUWAK_WORKERS=99999999999999999999 must be a whole number"},
        {"LUWAK_CREATE_WAIT=10 s",
         "LUWAK_CREATE_WAIT=10 s must be a duration such as 500ms, 30s, 5m, 24h or 7d"},
        {"LUWAK_CREATE_WAIT=106751991167301d",
         "LUWAK_CREATE_WAIT=106751991167301d must be a duration such as 500ms, 30s, 5m, 24h or 7d"},
        {"LUWAK_CREATE_WAIT=10m", "LUWAK_CREATE_WAIT=10m must be from 1000ms to 120000ms"},
        {"LUWAK_MAX_BODY=1XB", "LUWAK_MAX_BODY=1XB must be a size such as 512, 64kB or 1MB"},
        {"LUWAK_MAX_BODY=1", "LUWAK_MAX_BODY=1 must be from 1024 bytes to 67108864 bytes"},
        {"LUWAK_ENV=prod", "LUWAK_ENV=prod must be one of simulated|sandbox|staging|production"},
        {"LUWAK_ENV=sandbox|staging",
         "LUWAK_ENV=sandbox|staging must be one of simulated|sandbox|staging|production"},
        {"LUWAK_PUBLIC_URL=pay.example",
         "LUWAK_PUBLIC_URL=pay.example must be an http:// or https:// URL without a user name"},
        {"LUWAK_PUBLIC_URL=https://",
         "LUWAK_PUBLIC_URL=https:// must be an http:// or https:// URL without a user name"},
        {"LUWAK_PUBLIC_URL=https://a@b/",
         "LUWAK_PUBLIC_URL=https://a@b/ must be an http:// or https:// URL without a user name"},
        {"LUWAK_LISTEN=8080",
         "LUWAK_LISTEN=8080 must be HOST:PORT, e.g. 127.0.0.1:8080 or [::1]:8080"},
        {"LUWAK_LISTEN=h:65536",
         "LUWAK_LISTEN=h:65536 must be HOST:PORT, e.g. 127.0.0.1:8080 or [::1]:8080"},
        {"LUWAK_LISTEN=::1:80",
         "LUWAK_LISTEN=::1:80 must be HOST:PORT, e.g. 127.0.0.1:8080 or [::1]:8080"},
        {"LUWAK_TRUSTED_PROXIES=10.0.0.0/33",
         "LUWAK_TRUSTED_PROXIES=10.0.0.0/33 must be addresses or networks, e.g. 10.0.0.0/8,::1"},
        {"LUWAK_TRUSTED_PROXIES=10.0.0.1,",
         "LUWAK_TRUSTED_PROXIES=10.0.0.1, must be addresses or networks, e.g. 10.0.0.0/8,::1"},
        {"LUWAK_DATA_KEY=topsecret",
         "LUWAK_DATA_KEY must be 32 bytes in base64 or hex; make one: openssl rand -base64 32"},
        {"PAYMENT_ENABLE_3DS=maybe", "PAYMENT_ENABLE_3DS=maybe must be true or false"},
        {"LUWAK_WORKER=4", "LUWAK_WORKER is not a setting; did you mean LUWAK_WORKERS?"},
        {"LUWAK_LSITEN=x", "LUWAK_LSITEN is not a setting; did you mean LUWAK_LISTEN?"},
        {"LUWAK_XYZZY_PLUGH=1",
         "LUWAK_XYZZY_PLUGH is not a setting; `luwak config --help` lists them"},
        {"LUWAK_LISTEN=[::1]:0", ""},
        {"LUWAK_TRUSTED_PROXIES=10.0.0.0/8, ::1,fc00::/7", ""},
        {"LUWAK_DATA_KEY=" KEY_HEX, ""},
        {"LUWAK_DATA_KEY=" KEY_BASE64, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_problem(ENVIRONMENT(cases[i][0]), NULL, cases[i][1]);
}

static void keys_are_read_alike(void **state) {
    (void)state;
    uint8_t key[32];
    const char *const texts[] = {KEY_HEX, KEY_BASE64,
                                 "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"};
    for (size_t i = 0; i < 3; i++) {
        memset(key, 0xEE, sizeof key);
        CHECK_OK(key32_parse(str_of(texts[i]), key));
        for (int b = 0; b < 32; b++)
            CHECK_INT(key[b], b);
    }
    CHECK_ERR(key32_parse(STR("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9="), key),
              E_SYNTAX); /* loose bits */
}

static void together(void **state) {
    (void)state;
    check_problem(ENVIRONMENT("LUWAK_ENV=production", "PAYMENT_ENV=sandbox"), NULL,
                  "LUWAK_ENV=production and PAYMENT_ENV=sandbox disagree: set both to what this "
                  "engine is for");
    check_problem(ENVIRONMENT("LUWAK_ENV=simulated", "PAYMENT_ENV=sandbox"), NULL, "");
    check_problem(ENVIRONMENT("LUWAK_TLS_CERT=a.pem"), NULL,
                  "LUWAK_TLS_CERT and LUWAK_TLS_KEY belong together: LUWAK_TLS_KEY is not set");
    check_problem(ENVIRONMENT("LUWAK_TLS_CLIENT_CA=a.pem"), NULL,
                  "LUWAK_TLS_CLIENT_CA is set, but LUWAK_TLS_CERT is not");
    check_problem(ENVIRONMENT("PAYMENT_SERVER_KEY=x"), NULL,
                  "PAYMENT_SERVER_KEY is set, but PAYMENT_GATEWAY does not say whose it is");
    check_problem(
        ENVIRONMENT("PAYMENT_GATEWAY=midtrans", "PAYMENT_SERVER_KEY=a", "MIDTRANS_SERVER_KEY=b"),
        NULL, "PAYMENT_SERVER_KEY and MIDTRANS_SERVER_KEY disagree: keep one");
    check_problem(
        ENVIRONMENT("PAYMENT_GATEWAY=midtrans", "PAYMENT_SERVER_KEY=a", "MIDTRANS_SERVER_KEY=a"),
        NULL, "");
    check_problem(ENVIRONMENT("PAYMENT_GATEWAY=Mid trans"), NULL,
                  "PAYMENT_GATEWAY=Mid trans must be a provider's name, e.g. midtrans");
}

static void production_takes_no_play_things(void **state) {
    (void)state;
#define LIVE "LUWAK_ENV=production", "LUWAK_DATA_KEY=" KEY_HEX
    check_problem(ENVIRONMENT(LIVE, "MIDTRANS_SERVER_KEY=SB-Mid-server-1"), NULL,
                  "MIDTRANS_SERVER_KEY is a sandbox key (SB-...): LUWAK_ENV=production needs the "
                  "live one");
    check_problem(ENVIRONMENT(LIVE, "PAYMENT_GATEWAY=midtrans", "MIDTRANS_SERVER_KEY=Mid-server-1",
                              "PAYMENT_CLIENT_KEY=SB-Mid-1"),
                  NULL,
                  "PAYMENT_CLIENT_KEY is a sandbox key (SB-...): LUWAK_ENV=production needs the "
                  "live one");
    check_problem(ENVIRONMENT(LIVE, "XENDIT_API_KEY=xnd_development_1"), NULL,
                  "XENDIT_API_KEY is a sandbox key (xnd_development_...): LUWAK_ENV=production "
                  "needs the live one");
    check_problem(ENVIRONMENT(LIVE, "PAYMENT_SUCCESS_URL=http://shop.example/ok"), NULL,
                  "PAYMENT_SUCCESS_URL=http://shop.example/ok is plain http: "
                  "LUWAK_ENV=production needs https://");
    check_problem(ENVIRONMENT(LIVE, "LUWAK_PUBLIC_URL=http://pay.example"), NULL,
                  "LUWAK_PUBLIC_URL=http://pay.example is plain http: LUWAK_ENV=production needs "
                  "https://");
    check_problem(ENVIRONMENT(LIVE, "PAYMENT_GATEWAY=midtrans"), NULL,
                  "PAYMENT_GATEWAY=midtrans, but neither PAYMENT_SERVER_KEY nor "
                  "MIDTRANS_SERVER_KEY is set");
    check_problem(ENVIRONMENT(LIVE, "PAYMENT_GATEWAY=midtrans", "PAYMENT_SERVER_KEY=Mid-server-1",
                              "PAYMENT_SUCCESS_URL=https://shop.example/ok"),
                  NULL, "");
    check_problem(ENVIRONMENT("LUWAK_ENV=staging", "PAYMENT_GATEWAY=midtrans",
                              "PAYMENT_SERVER_KEY=SB-Mid-1", "PAYMENT_SUCCESS_URL=http://a.b"),
                  NULL, "");
}

/* The .env of the architecture document, as it stands; APP_URL is the application's. */
static void the_documents_file_is_taken(void **state) {
    (void)state;
    static const char *const FILE_TEXT =
        "# SANDBOX\nPAYMENT_GATEWAY=midtrans\nPAYMENT_ENV=sandbox\n"
        "PAYMENT_SERVER_KEY=SB-Mid-server-xxxxxxxxxxxxxxxxxxx\n"
        "PAYMENT_CLIENT_KEY=SB-Mid-client-xxxxxxxxxxxxxxxxxxx\nPAYMENT_MERCHANT_ID=M12345678\n\n"
        "# XENDIT (Alternative)\nXENDIT_API_KEY=xnd_development_xxxxxxxxxxxxxxxxxxx\n"
        "XENDIT_WEBHOOK_TOKEN=xnd_whsec_xxxxxxxxxxxxxxxxxxx\n\n"
        "PAYMENT_SUCCESS_URL=${APP_URL}/payment/success\n"
        "PAYMENT_FAILURE_URL=${APP_URL}/payment/failed\n"
        "PAYMENT_WEBHOOK_URL=${APP_URL}/api/payment/webhook\n\nPAYMENT_ENABLE_3DS=true\n"
        "PAYMENT_FRAUD_DETECTION=true\nPAYMENT_WEBHOOK_TIMEOUT=30\n\n"
        "PAYMENT_SETTLEMENT_DAYS=1\nPAYMENT_EXPIRY_HOURS=24\nPAYMENT_RETRY_ATTEMPTS=3\n";
    struct why why = {0};
    const char *key = NULL;
    struct config *c = load_all(
        ENVIRONMENT("LUWAK_ENV=sandbox", "LUWAK_DATA_KEY=" KEY_HEX, "APP_URL=https://shop.example"),
        FILE_TEXT);
    CHECK_OK(config_check(c, true, &why));
    CHECK_INT(config_warning_count(c), 0);
    CHECK_STR(str_of(config_text(c, SET_PAYMENT_WEBHOOK_URL)),
              "https://shop.example/api/payment/webhook");
    CHECK_INT(config_number(c, SET_PAYMENT_WEBHOOK_TIMEOUT), 30000);
    CHECK_INT(config_number(c, SET_PAYMENT_RETRY_ATTEMPTS), 3);
    CHECK_OK(config_provider(c, "midtrans", "MIDTRANS_SERVER_KEY", &key));
    CHECK_STR(str_of(key), "SB-Mid-server-xxxxxxxxxxxxxxxxxxx");
    CHECK_OK(config_provider(c, "xendit", "XENDIT_WEBHOOK_TOKEN", &key));
    CHECK_STR(str_of(key), "xnd_whsec_xxxxxxxxxxxxxxxxxxx");
    config_free(c);
}

static void needs_of_an_environment(void **state) {
    (void)state;
    struct why why = {0};
    struct config *c = load_all(NONE, NULL);
    CHECK_OK(config_check(c, false, &why));
    CHECK_ERR(config_check(c, true, &why), E_CONFIG);
    CHECK_STR(str_of(why.text), "LUWAK_ENV is not set: say simulated, sandbox, staging or "
                                "production, or give --simulated");
    config_free(c);
    c = load_all(ENVIRONMENT("LUWAK_ENV=sandbox"), NULL);
    CHECK_ERR(config_check(c, true, &why), E_CONFIG);
    CHECK(strncmp(why.text, "LUWAK_DATA_KEY is not set, and LUWAK_ENV=sandbox needs it", 57) == 0);
    config_free(c);
    c = load_all(ENVIRONMENT("LUWAK_ENV=simulated"), NULL);
    CHECK_OK(config_check(c, true, &why));
    uint8_t key[32];
    CHECK_OK(config_data_key(c, key));
    CHECK(!config_staged(c));
    config_free(c);
    c = load_all(ENVIRONMENT("LUWAK_ENV=production", "LUWAK_DATA_KEY=" KEY_HEX), NULL);
    CHECK_OK(config_check(c, true, &why));
    CHECK(config_staged(c));
    config_free(c);
}

static const char *provider(struct config *c, const char *name, const char *key) {
    const char *value = NULL;
    return config_provider(c, name, key, &value) == 0 ? value : "(none)";
}

static void providers_see_their_own(void **state) {
    (void)state;
    const char *v;
    struct config *c = load_all(ENVIRONMENT("LUWAK_ENV=sandbox", "PAYMENT_GATEWAY=xendit",
                                            "PAYMENT_SERVER_KEY=xk", "BNI_SECRET_KEY=bs"),
                                "MIDTRANS_SERVER_KEY=mk\nBNI_EMPTY=\n");
    CHECK_STR(str_of(provider(c, "midtrans", "MIDTRANS_SERVER_KEY")), "mk");
    CHECK_STR(str_of(provider(c, "xendit", "XENDIT_API_KEY")), "xk");
    CHECK_STR(str_of(provider(c, "bni", "BNI_SECRET_KEY")), "bs");
    CHECK_ERR(config_provider(c, "bni", "BNI_EMPTY", &v), E_NOTFOUND);
    CHECK_ERR(config_provider(c, "doku", "DOKU_SECRET_KEY", &v), E_NOTFOUND); /* not simulated */
    CHECK_ERR(config_provider(c, "bni", "MIDTRANS_SERVER_KEY", &v), E_DENIED);
    CHECK_ERR(config_provider(c, "bn", "BNI_SECRET_KEY", &v), E_DENIED);
    CHECK_ERR(config_provider(c, "bni", "BNI_", &v), E_DENIED);
    CHECK_ERR(config_provider(c, "", "_X", &v), E_DENIED);
    CHECK_ERR(config_provider(c, "luwak", "LUWAK_DATA_KEY", &v), E_DENIED);
    CHECK_ERR(config_provider(c, "payment", "PAYMENT_SERVER_KEY", &v), E_DENIED);
    config_free(c);
    c = load_all(ENVIRONMENT("LUWAK_ENV=simulated", "DOKU_CLIENT_ID=mine"), NULL);
    CHECK_STR(str_of(provider(c, "midtrans", "MIDTRANS_SERVER_KEY")), "SB-Mid-server-demo");
    CHECK_STR(str_of(provider(c, "doku", "DOKU_CLIENT_ID")), "mine");
    config_free(c);
}

static void dotenv_reads(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"BNI_K=plain", "plain"},
        {"\xef\xbb\xbf"
         "BNI_K=bom",
         "bom"},
        {"export BNI_K=x\r\n", "x"},
        {"  BNI_K = spaced out  # comment", "spaced out"},
        {"BNI_K=a#b", "a#b"},
        {"BNI_K='raw ${X} \\n'", "raw ${X} \\n"},
        {"BNI_K=\"q \\\"in\\\" \\\\ \\n \\$ \\x\" # c", "q \"in\" \\ \n $ \\x"},
        {"BNI_K=\"two\nlines\"", "two\nlines"},
        {"A=1\nBNI_K=${A}2$3", "12$3"},
        {"BNI_K=${A}\nA=later", "later"},
        {"A=${B}\nB=${C}\nC=deep\nBNI_K=\"<${A}>\"", "<deep>"},
        {"BNI_K=x${HERE}", "xenvironment"},
        {"HERE=file\nBNI_K=${HERE}", "environment"},
        {"BNI_K=same\nBNI_K=same", "same"},
        {"BNI_K=\\${A}\nA=1", "\\1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct config *c = load_all(ENVIRONMENT("HERE=environment"), cases[i][0]);
        if (config_problem_count(c) != 0) fail_msg("%s: %s", cases[i][0], config_problem(c, 0));
        CHECK_STR(str_of(provider(c, "bni", "BNI_K")), cases[i][1]);
        config_free(c);
    }
}

static void dotenv_refuses(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"\nnonsense", ".env:2: expected = behind the name"},
        {"=x", ".env:1: expected NAME=value"},
        {"1A=x", ".env:1: expected NAME=value"},
        {"A=\"open\n\n", ".env:1: the quote that opens here is never closed"},
        {"A='x' y", ".env:1: text behind the closing quote"},
        {"A=\"1\n2\"\nB=${", ".env:3: ${ must be followed by a name and }"},
        {"A=${1}", ".env:1: ${ must be followed by a name and }"},
        {"A=\x01x", ".env:1: control character in a value"},
        {"A=1\n\nA=2", ".env:3: A was set differently in line 1: keep one"},
        {"\nLUWAK_WORKERS=no", ".env:2: LUWAK_WORKERS=no must be a whole number"},
        {"\n\nLUWAK_WROKERS=1",
         ".env:3: LUWAK_WROKERS is not a setting; did you mean LUWAK_WORKERS?"},
        {"PAYMENT_SUCCESS_URL=${APP_URL}/x",
         ".env:1: PAYMENT_SUCCESS_URL uses ${APP_URL}, which is not set"},
        {"PAYMENT_SUCCESS_URL=${A}\nA=${B}\nB=${A}",
         ".env:1: PAYMENT_SUCCESS_URL uses ${A}, which cannot be expanded"},
        {"LUWAK_DATA=${LUWAK_DATA}",
         ".env:1: LUWAK_DATA uses ${LUWAK_DATA}, which leads back to itself"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_problem(NONE, cases[i][0], cases[i][1]);
}

static void references_do_not_explode(void **state) {
    (void)state;
    struct buf text = {0};
    buf_adds(&text, "A0=xxxxxxxxxxxxxxxx\n");
    for (int i = 1; i < 30; i++)
        buf_addf(&text, "A%d=${A%d}${A%d}\n", i, i - 1, i - 1);
    struct config *c = load_all(NONE, text.data);
    CHECK(config_problem_count(c) > 0);
    CHECK(strstr(config_problem(c, 0), "grows beyond 64 kB") != NULL);
    config_free(c);
    buf_clear(&text);
    buf_adds(&text, "LUWAK_DATA=${A0}\n");
    for (int i = 0; i < 5000; i++) /* each refers to the next: only the depth can end it */
        buf_addf(&text, "A%d=${A%d}\n", i, i + 1);
    buf_adds(&text, "A5000=x\n");
    c = load_all(NONE, text.data);
    bool told = false;
    for (size_t i = 0; i < config_warning_count(c); i++)
        told = told || strstr(config_warning(c, i), "is nested too deeply") != NULL;
    CHECK(told);
    CHECK(strstr(config_problem(c, 0), "LUWAK_DATA uses ${A0}, which cannot be expanded") != NULL);
    config_free(c);
    buf_free(&text);
}

static void a_broken_reference_elsewhere_only_warns(void **state) {
    (void)state;
    struct config *c = load_all(NONE, "MAIL_FROM=${APP_NAME}\nPAYMENT_EXPIRY_HUORS=3\n");
    CHECK_INT(config_problem_count(c), 0);
    CHECK_INT(config_warning_count(c), 2);
    CHECK(strstr(config_warning(c, 1), "did you mean PAYMENT_EXPIRY_HOURS?") != NULL);
    config_free(c);
}

static void sources_in_order(void **state) {
    (void)state;
    struct config *c = NULL;
    struct why why = {0};
    char folder[300];
    snprintf(folder, sizeof folder, "%s/credentials", unit_tmpdir());
    CHECK_INT(mkdir(folder, 0700), 0);
    write_file("credentials/luwak_data_key", KEY_HEX "\n", 0600);
    write_file("credentials/BNI_SECRET", "from credential", 0600);
    struct config_option option = {SET_LUWAK_WORKERS, "workers", "3"};
    struct config_sources sources = {
        .environment = ENVIRONMENT("LUWAK_WORKERS=2", "LUWAK_DATA=/environment"),
        .env_file = write_file(
            ".env", "LUWAK_WORKERS=1\nLUWAK_DATA=/file\nLUWAK_ROOT=/root\nBNI_SECRET=file\n", 0644),
        .credentials = folder,
        .options = &option,
        .option_count = 1};
    CHECK_OK(config_load(&c, &sources, &why));
    CHECK_INT(config_problem_count(c), 0);
    CHECK_INT(config_number(c, SET_LUWAK_WORKERS), 3);
    CHECK_STR(str_of(config_text(c, SET_LUWAK_DATA)), "/environment");
    CHECK_STR(str_of(config_text(c, SET_LUWAK_ROOT)), "/root");
    CHECK_STR(str_of(provider(c, "bni", "BNI_SECRET")), "from credential");
    CHECK(strstr(config_warning(c, 0), "can be read by everybody") != NULL);

    struct buf out = {0};
    config_print(c, &out);
    CHECK(strstr(out.data, "option --workers") != NULL);
    CHECK(strstr(out.data, ".env:3\n") != NULL);
    CHECK(strstr(out.data, "0001020304") == NULL);
    CHECK(strstr(out.data, "from credential") == NULL);
    CHECK(strstr(out.data, "BNI_SECRET               ********") != NULL);
    buf_free(&out);
    config_free(c);

    sources.environment = ENVIRONMENT("LUWAK_DATA_KEY=" KEY_BASE64);
    CHECK_OK(config_load(&c, &sources, &why));
    CHECK_STR(str_of(config_problem(c, 0)),
              "LUWAK_DATA_KEY: the environment and the credential disagree: keep one");
    config_free(c);
}

static void a_named_file_must_be_there(void **state) {
    (void)state;
    struct config *c = NULL;
    struct config_sources sources = {.env_file = "/nonexistent/.env", .environment = NONE};
    CHECK_OK(config_load(&c, &sources, NULL));
    CHECK_INT(config_problem_count(c), 0);
    config_free(c);
    sources.env_file_named = true;
    CHECK_OK(config_load(&c, &sources, NULL));
    CHECK_STR(str_of(config_problem(c, 0)), "/nonexistent/.env: not found");
    config_free(c);
    sources.env_file = unit_tmpdir(); /* a directory */
    CHECK_OK(config_load(&c, &sources, NULL));
    CHECK_INT(config_problem_count(c), 1);
    config_free(c);
}

static void nearest_words(void **state) {
    (void)state;
    CHECK_INT(edit_distance(STR("abc"), STR("acb")), 1);
    CHECK_INT(edit_distance(STR(""), STR("abc")), 3);
    CHECK_INT(edit_distance(STR("kitten"), STR("sitting")), 3);
    CHECK_INT(edit_distance(STR("same"), STR("same")), 0);
    struct nearest near;
    nearest_init(&near, STR("x"));
    nearest_try(&near, STR("serve"));
    CHECK_INT(near.best.n, 0);
}

#ifdef LUWAK_FAULTS
static void every_allocation_may_fail(void **state) {
    (void)state;
    struct config_sources sources = {
        .environment = ENVIRONMENT("LUWAK_ENV=sandbox", "PAYMENT_GATEWAY=midtrans",
                                   "PAYMENT_SERVER_KEY=a", "LUWAK_WORKER=1"),
        .env_file = write_file(".env", "A=1\nB=${A}\nPAYMENT_SUCCESS_URL=${Z}\n", 0644)};
    int64_t live = mem_live();
    for (uint64_t nth = 1; nth < 1000; nth++) {
        struct config *c = NULL;
        mem_fail_at(nth, 0);
        int err = config_load(&c, &sources, NULL);
        int failed = mem_has_failed();
        mem_fail_at(0, 0);
        if (failed) CHECK_ERR(err, E_NOMEM);
        config_free(c);
        CHECK_INT(mem_live(), live);
        if (!failed) return;
    }
    fail_msg("still failing after 1000 allocations");
}
#endif

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(defaults_stand),
    cmocka_unit_test(values_mean_what_they_say),
    cmocka_unit_test(bad_values_are_refused_in_one_line),
    cmocka_unit_test(keys_are_read_alike),
    cmocka_unit_test(together),
    cmocka_unit_test(production_takes_no_play_things),
    cmocka_unit_test(the_documents_file_is_taken),
    cmocka_unit_test(needs_of_an_environment),
    cmocka_unit_test(providers_see_their_own),
    cmocka_unit_test(dotenv_reads),
    cmocka_unit_test(dotenv_refuses),
    cmocka_unit_test(references_do_not_explode),
    cmocka_unit_test(a_broken_reference_elsewhere_only_warns),
    cmocka_unit_test(sources_in_order),
    cmocka_unit_test(a_named_file_must_be_there),
    cmocka_unit_test(nearest_words),
#ifdef LUWAK_FAULTS
    cmocka_unit_test(every_allocation_may_fail),
#endif
};
UNIT_MAIN("config", tests)
