/*
 * What a fresh source port for every upstream query costs, against a port that stays.
 *
 *   ports COUNT
 *
 * Prints microseconds of wall clock a query for three ways to send it: on a socket that stays
 * connected; on one that is disconnected and connected again; on a new socket that is closed again.
 * Nobody reads what is sent, so only the sender's work counts.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct sockaddr_in upstream;
static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
static const char query[45];

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int new_socket(void) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  return fd;
}

static void connect_to(int fd, const void *to, socklen_t size) {
  if (connect(fd, to, size) < 0) die("connect");
}

static void send_on(int fd) {
  if (send(fd, query, sizeof query, MSG_NOSIGNAL) < 0) die("send");
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s COUNT\n", argv[0]);
    return 2;
  }
  long count = strtol(argv[1], NULL, 10);
  /* A bound socket that nobody reads: what does not fit any more is dropped without an error. */
  int sink = new_socket();
  upstream = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof upstream;
  if (bind(sink, (struct sockaddr *)&upstream, size) < 0) die("bind");
  if (getsockname(sink, (struct sockaddr *)&upstream, &size) < 0) die("getsockname");

  int fd = new_socket();
  connect_to(fd, &upstream, sizeof upstream);
  double start = now();
  for (long i = 0; i < count; i++) send_on(fd);
  double kept = (now() - start) / (double)count;

  start = now();
  for (long i = 0; i < count; i++) {
    connect_to(fd, &nobody, sizeof nobody);
    connect_to(fd, &upstream, sizeof upstream);
    send_on(fd);
  }
  double reconnected = (now() - start) / (double)count;

  start = now();
  for (long i = 0; i < count; i++) {
    int fresh = new_socket();
    connect_to(fresh, &upstream, sizeof upstream);
    send_on(fresh);
    close(fresh);
  }
  double opened = (now() - start) / (double)count;
  printf("%.3f %.3f %.3f\n", kept, reconnected, opened);
  return 0;
}
