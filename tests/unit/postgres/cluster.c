/* SPDX-License-Identifier: Apache-2.0
 *
 * A PostgreSQL cluster for tests.
 */
#include "cluster.h"

#include <arpa/inet.h>
#include <glob.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64], bin[256];
static int port;
static pid_t server;

static void die(const char *what)
{
    fprintf(stderr, "cluster: %s\n", what);
    cluster_stop();
    abort();
}

/* The newest one. */
static bool find_bin(void)
{
    glob_t found = {0};
    bool there = glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0;
    if (there) {
        const char *last = found.gl_pathv[found.gl_pathc - 1];
        snprintf(bin, sizeof(bin), "%.*s", (int)(strrchr(last, '/') - last), last);
    }
    globfree(&found);
    return there;
}

int cluster_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        die("no free port");
    close(fd);
    return ntohs(address.sin_port);
}

static void shell(const char *command)
{
    if (system(command) != 0)
        die(command);
}

/* The server may not run as root. */
static const char *as_other(void)
{
    return getuid() == 0 ? "setpriv --reuid=nobody --regid=nogroup --clear-groups" : "";
}

static void initialise(void)
{
    char command[2048];
    snprintf(
        command, sizeof(command),
        "cd / && chmod 0755 '%s' && %s '%s' && %s '%s/initdb' -D '%s/data' -N -U postgres -A trust -E UTF8 --locale=C "
        ">'%s/initdb.log' 2>&1",
        folder, getuid() == 0 ? "chown nobody" : "true", folder, as_other(), bin, folder, folder);
    shell(command);
    snprintf(
        command, sizeof(command),
        "printf '%%s\\n' 'local all all trust' 'host all all 127.0.0.1/32 scram-sha-256' >'%s/data/pg_hba.conf' && "
        "printf '%%s\\n' \"port = %d\" \"listen_addresses = '127.0.0.1'\" \"unix_socket_directories = '%s'\" "
        "'fsync = off' 'max_connections = 40' 'shared_buffers = 16MB' >>'%s/data/postgresql.conf'",
        folder, port, folder, folder);
    shell(command);
}

static void run_server(void)
{
    char command[1024];
    snprintf(command, sizeof(command), "cd / && exec %s%s '%s/postgres' -D '%s/data' >'%s/log' 2>&1", as_other(),
             getuid() == 0 ? " --pdeathsig=QUIT" : "", bin, folder, folder);
    server = fork();
    if (server < 0)
        die("fork");
    if (server > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGQUIT); /* setpriv sets it again: a change of user clears it */
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

bool cluster_start(void)
{
    char where[256];
    if (!find_bin())
        return false;
    snprintf(folder, sizeof(folder), "/tmp/unit-postgres-XXXXXX");
    if (!mkdtemp(folder))
        die("no folder");
    port = cluster_free_port();
    initialise();
    run_server();
    snprintf(where, sizeof(where), "host=%s port=%d user=postgres dbname=postgres", folder, port);
    for (int i = 0; i < 600 && PQping(where) != PQPING_OK; i++) {
        if (waitpid(server, NULL, WNOHANG) == server) {
            server = 0;
            die("the server did not start");
        }
        usleep(50000);
    }
    if (PQping(where) != PQPING_OK)
        die("the server does not answer");
    return true;
}

void cluster_stop(void)
{
    char command[128];
    if (server > 0) {
        kill(server, SIGQUIT);
        waitpid(server, NULL, 0);
        server = 0;
    }
    if (!folder[0])
        return;
    snprintf(command, sizeof(command), "rm -rf '%s'", folder);
    if (system(command) != 0)
        fprintf(stderr, "cluster: '%s' could not be removed\n", folder);
    folder[0] = 0;
}

const char *cluster_folder(void)
{
    return folder;
}

int cluster_port(void)
{
    return port;
}

const char *cluster_bin(void)
{
    return bin;
}
