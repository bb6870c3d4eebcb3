/* What the service manager hears, through a socket of our own. */
#include "sys/notify.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void check_heard(const struct sockaddr_un *at, socklen_t size, const char *path) {
    char got[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK(fd >= 0);
    CHECK_INT(bind(fd, (const struct sockaddr *)at, size), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    CHECK_OK(notify("READY=1\nSTATUS=serving"));
    ssize_t n = recv(fd, got, sizeof got, MSG_DONTWAIT);
    CHECK(n > 0);
    CHECK_STR(((struct str){got, (size_t)n}), "READY=1\nSTATUS=serving");
    close(fd);
}

static void a_socket_file_hears(void **state) {
    (void)state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%.90s/notify", unit_tmpdir());
    check_heard(&at, sizeof at, at.sun_path);
}

static void an_abstract_socket_hears(void **state) {
    (void)state;
    char name[64];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(name, sizeof name, "@luwak-test-%d", (int)getpid());
    memcpy(at.sun_path + 1, name + 1, (size_t)n - 1);
    check_heard(&at, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n), name);
}

static void nobody_listens(void **state) {
    (void)state;
    unsetenv("NOTIFY_SOCKET");
    CHECK_OK(notify("READY=1"));
    setenv("NOTIFY_SOCKET", "relative", 1);
    CHECK_ERR(notify("READY=1"), E_IO);
    setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
    CHECK_ERR(notify("READY=1"), E_IO);
    unsetenv("NOTIFY_SOCKET");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_socket_file_hears),
    cmocka_unit_test(an_abstract_socket_hears),
    cmocka_unit_test(nobody_listens),
};
UNIT_MAIN("notify", tests)
