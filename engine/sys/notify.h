/* Tells the service manager how we are (systemd's Type=notify), without its library. */
#ifndef LUWAK_SYS_NOTIFY_H
#define LUWAK_SYS_NOTIFY_H

/* "READY=1", "STOPPING=1", "RELOADING=1", "STATUS=..."; several divided by newlines. Without a
 * service manager ($NOTIFY_SOCKET) nothing happens. 0, or E_IO. */
int notify(const char *state);

#endif
