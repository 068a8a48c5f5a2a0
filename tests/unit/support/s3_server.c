/* SPDX-License-Identifier: Apache-2.0 */
#include "s3_server.h"

#include <arpa/inet.h>
#include <check.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t server;
static int port;

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool answers(void)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool done = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return done;
}

void s3_server_start(void)
{
    char number[16];
    port = free_port();
    snprintf(number, sizeof(number), "%d", port);
    server = fork();
    ck_assert_int_ge(server, 0);
    if (server == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(127);
        execlp("python3", "python3", S3_TOOLS "/misbehaving-s3.py", number, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500 && !answers(); i++)
        usleep(20000);
    ck_assert(answers());
}

void s3_server_stop(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

int s3_server_port(void)
{
    return port;
}
