/*
 * The least a DNS server can do: answers every query at once with one fixed A record.
 *
 *   answer PORT TTL [ADDRESS]
 *
 * Serves 127.0.0.1, or another IPv4 address, over UDP (recvmmsg, sendmmsg) and TCP (pipelined) from one thread that waits in
 * epoll. It is both the floor that the servers are measured against and the upstream behind them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  HEADER = 12,
  BATCH = 64,
  UDP_SIZE = 4096,
  ROOM = UDP_SIZE + 64, /* a query and what is added to it */
  STREAM_SIZE = 65536,
  MAX_EVENTS = 64,
  TYPE_A = 1,
  TYPE_OPT = 41,
};

struct connection {
  int fd;
  size_t in_used, out_start, out_used;
  uint8_t in[STREAM_SIZE + 2];
  uint8_t out[2 * STREAM_SIZE];
};

static uint32_t ttl;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static unsigned get16(const uint8_t *at) { return (unsigned)at[0] << 8 | at[1]; }

static uint8_t *put16(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
  return at + 2;
}

/* Writes the answer to a query; returns its length, or 0 where the query deserves none. */
static size_t answer(const uint8_t *query, size_t length, uint8_t *out) {
  if (length < HEADER + 5 || length > UDP_SIZE || (query[2] & 0xf8) || get16(query + 4) != 1)
    return 0;
  size_t at = HEADER;
  while (at < length && query[at] != 0) {
    if (query[at] > 63) return 0;
    at += 1u + query[at];
  }
  size_t end = at + 5;
  if (end > length) return 0;
  int is_address = get16(query + at + 1) == TYPE_A;
  int has_opt = get16(query + 10) > 0 && end + 11 <= length && query[end] == 0 &&
                get16(query + end + 1) == TYPE_OPT;

  memcpy(out, query, end);
  put16(out + 2, 0x8080u | (query[2] & 0x01u) << 8);
  put16(out + 6, (unsigned)is_address);
  put16(out + 8, 0);
  put16(out + 10, (unsigned)has_opt);
  uint8_t *to = out + end;
  if (is_address) {
    to = put16(to, 0xc000 | HEADER);
    to = put16(to, TYPE_A);
    to = put16(to, 1);
    to = put16(to, ttl >> 16);
    to = put16(to, ttl & 0xffff);
    to = put16(to, 4);
    memcpy(to, (uint8_t[]){192, 0, 2, 1}, 4);
    to += 4;
  }
  if (has_opt) {
    *to++ = 0;
    to = put16(to, TYPE_OPT);
    to = put16(to, 1232);
    to = put16(to, 0);
    to = put16(to, get16(query + end + 7) & 0x8000); /* DO as asked */
    to = put16(to, 0);
  }
  return (size_t)(to - out);
}

static uint8_t received[BATCH][UDP_SIZE], replies[BATCH][ROOM];
static struct sockaddr_in clients[BATCH];
static struct iovec received_parts[BATCH], reply_parts[BATCH];
static struct mmsghdr received_messages[BATCH], reply_messages[BATCH];

static void prepare_udp(void) {
  for (int i = 0; i < BATCH; i++) {
    received_parts[i] = (struct iovec){received[i], UDP_SIZE};
    received_messages[i].msg_hdr = (struct msghdr){
        .msg_name = &clients[i], .msg_iov = &received_parts[i], .msg_iovlen = 1};
  }
}

static void serve_udp(int fd) {
  for (int i = 0; i < BATCH; i++)
    received_messages[i].msg_hdr.msg_namelen = sizeof clients[i];
  int count = recvmmsg(fd, received_messages, BATCH, MSG_DONTWAIT, NULL);
  int ready = 0;
  for (int i = 0; i < count; i++) {
    size_t length = answer(received[i], received_messages[i].msg_len, replies[ready]);
    if (length == 0) continue;
    reply_parts[ready] = (struct iovec){replies[ready], length};
    reply_messages[ready].msg_hdr =
        (struct msghdr){.msg_name = &clients[i],
                        .msg_namelen = received_messages[i].msg_hdr.msg_namelen,
                        .msg_iov = &reply_parts[ready],
                        .msg_iovlen = 1};
    ready++;
  }
  for (int sent = 0; sent < ready;) {
    int now = sendmmsg(fd, reply_messages + sent, (unsigned)(ready - sent), 0);
    if (now <= 0) break;
    sent += now;
  }
}

static void want(int epoll, struct connection *connection, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = connection};
  epoll_ctl(epoll, EPOLL_CTL_MOD, connection->fd, &event);
}

static void close_connection(struct connection *connection) {
  close(connection->fd);
  free(connection);
}

/* Sends what waits; returns -1 where the connection is gone. */
static int flush(int epoll, struct connection *c) {
  int waited = c->out_start > 0;
  while (c->out_start < c->out_used) {
    ssize_t sent = send(c->fd, c->out + c->out_start, c->out_used - c->out_start,
                        MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno != EAGAIN) return -1;
      want(epoll, c, EPOLLOUT);
      return 0;
    }
    c->out_start += (size_t)sent;
    waited |= c->out_start < c->out_used;
  }
  c->out_start = c->out_used = 0;
  if (waited) want(epoll, c, EPOLLIN);
  return 0;
}

static void serve_connection(int epoll, struct connection *c) {
  if (c->out_used > 0) {
    if (flush(epoll, c) < 0) close_connection(c);
    return;
  }
  ssize_t count = recv(c->fd, c->in + c->in_used, sizeof c->in - c->in_used, MSG_DONTWAIT);
  if (count <= 0) {
    if (count == 0 || errno != EAGAIN) close_connection(c);
    return;
  }
  c->in_used += (size_t)count;
  size_t at = 0;
  while (c->in_used - at >= 2) {
    size_t length = get16(c->in + at);
    if (c->in_used - at < 2 + length) break;
    if (sizeof c->out - c->out_used < ROOM + 2 && (flush(epoll, c) < 0 || c->out_used > 0)) break;
    size_t size = answer(c->in + at + 2, length, c->out + c->out_used + 2);
    if (size > 0) {
      put16(c->out + c->out_used, (unsigned)size);
      c->out_used += 2 + size;
    }
    at += 2 + length;
  }
  memmove(c->in, c->in + at, c->in_used - at);
  c->in_used -= at;
  if (flush(epoll, c) < 0) close_connection(c);
}

static void accept_connection(int epoll, int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
  if (fd < 0) return;
  struct connection *connection = malloc(sizeof *connection);
  if (connection == NULL) {
    close(fd);
    return;
  }
  connection->fd = fd;
  connection->in_used = connection->out_start = connection->out_used = 0;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
  epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static int listen_on(int type, unsigned port, const char *host) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = inet_addr(host)};
  int fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
  if (fd < 0) die("socket");
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){1 << 20}, sizeof(int));
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die("bind");
  if (type == SOCK_STREAM && listen(fd, 128) < 0) die("listen");
  return fd;
}

int main(int argc, char **argv) {
  if (argc != 3 && argc != 4) {
    fprintf(stderr, "usage: %s PORT TTL [ADDRESS]\n", argv[0]);
    return 2;
  }
  unsigned port = (unsigned)strtoul(argv[1], NULL, 10);
  ttl = (uint32_t)strtoul(argv[2], NULL, 10);
  signal(SIGPIPE, SIG_IGN);

  const char *host = argc == 4 ? argv[3] : "127.0.0.1";
  int udp = listen_on(SOCK_DGRAM, port, host), tcp = listen_on(SOCK_STREAM, port, host);
  int epoll = epoll_create1(0);
  if (epoll < 0) die("epoll_create1");
  struct epoll_event udp_event = {.events = EPOLLIN, .data.ptr = &udp};
  struct epoll_event tcp_event = {.events = EPOLLIN, .data.ptr = &tcp};
  epoll_ctl(epoll, EPOLL_CTL_ADD, udp, &udp_event);
  epoll_ctl(epoll, EPOLL_CTL_ADD, tcp, &tcp_event);
  prepare_udp();

  struct epoll_event events[MAX_EVENTS];
  for (;;) {
    int count = epoll_wait(epoll, events, MAX_EVENTS, -1);
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr == &udp) serve_udp(udp);
      else if (events[i].data.ptr == &tcp) accept_connection(epoll, tcp);
      else serve_connection(epoll, events[i].data.ptr);
    }
  }
}
