/*
 * Queries over UDP from one socket; prints results as JSON.
 *
 *   dns_load ADDRESS PORT RATE SECONDS NAMES
 *
 * Asks for n0.cluster.example to n(NAMES-1).cluster.example, A, in random order. RATE queries a
 * second are due at even times, whatever has been answered, and latencies count from when a query
 * was due. With RATE 0, WINDOW queries are in flight all the time.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  WINDOW = 100,
  BATCH = 32,
  QUERY_SIZE = 128,
  ANSWER_SIZE = 2048,
  RECEIVE_BUFFER = 4 << 20,
  LAST_ANSWERS_NS = 300000000,
  /* In flight without an answer for so long: lost. */
  LOST_NS = 100000000,
  /* Nearer than that, a sleep would be too long. */
  NEAR_NS = 20000,
  MAX_LATENCY_US = 1000000,
};

static uint64_t due_at[65536];
/* Answers by microseconds of their latency. */
static uint32_t histogram[MAX_LATENCY_US + 1];
static uint64_t answered, failed;
static unsigned names, seed = 7;

static uint64_t clock_ns(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static size_t make_query(uint8_t *query, unsigned id) {
  static const uint8_t header[10] = {1, 0, 0, 1}, end[] = "\7cluster\7example\0\0\1\0\1";
  query[0] = (uint8_t)(id >> 8);
  query[1] = (uint8_t)id;
  memcpy(query + 2, header, sizeof header);
  int length = sprintf((char *)query + 13, "n%u", (unsigned)rand_r(&seed) % names);
  query[12] = (uint8_t)length;
  memcpy(query + 13 + length, end, sizeof end - 1);
  return 13 + (size_t)length + sizeof end - 1;
}

static void count(const uint8_t *answer, ssize_t length) {
  answered++;
  if (length < 12 || !(answer[2] & 0x80) || (answer[3] & 15)) failed++;
}

static void run_open(int fd, double rate, double seconds, uint64_t *sent) {
  uint64_t start = clock_ns(CLOCK_MONOTONIC), total = (uint64_t)(rate * seconds);
  uint64_t end = start + (uint64_t)(seconds * 1e9) + LAST_ANSWERS_NS;
  while (*sent < total || answered < total) {
    uint64_t now = clock_ns(CLOCK_MONOTONIC);
    if (now > end) break;
    uint64_t due = start + (uint64_t)((double)*sent * 1e9 / rate);
    if (*sent < total && now >= due) {
      uint8_t query[QUERY_SIZE];
      size_t length = make_query(query, (unsigned)*sent);
      due_at[*sent & 65535] = due;
      send(fd, query, length, 0);
      ++*sent;
      /* Behind time: a few more before looking for answers. */
      if ((*sent & 15) && now > due + NEAR_NS) continue;
      due = start + (uint64_t)((double)*sent * 1e9 / rate);
    }
    int64_t wait = *sent < total ? (int64_t)due - (int64_t)now : 50000000;
    struct timespec time = {0, wait > 0 ? wait : 0};
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    if (ppoll(&readable, 1, &time, NULL) <= 0) continue;
    uint8_t answer[ANSWER_SIZE];
    ssize_t length;
    while ((length = recv(fd, answer, sizeof answer, MSG_DONTWAIT)) > 0) {
      uint64_t latency = (clock_ns(CLOCK_MONOTONIC) - due_at[answer[0] << 8 | answer[1]]) / 1000;
      histogram[latency < MAX_LATENCY_US ? latency : MAX_LATENCY_US]++;
      count(answer, length);
    }
  }
}

static void run_closed(int fd, double seconds, uint64_t *sent) {
  static uint8_t queries[BATCH][QUERY_SIZE], answers[BATCH][ANSWER_SIZE];
  struct iovec parts[BATCH];
  struct mmsghdr messages[BATCH];
  unsigned in_flight = 0;
  uint64_t last = clock_ns(CLOCK_MONOTONIC), end = last + (uint64_t)(seconds * 1e9);
  for (uint64_t now = last; now < end; now = clock_ns(CLOCK_MONOTONIC)) {
    unsigned ready = 0;
    for (; ready < BATCH && in_flight + ready < WINDOW; ready++) {
      parts[ready].iov_base = queries[ready];
      parts[ready].iov_len = make_query(queries[ready], (unsigned)*sent + ready);
      messages[ready].msg_hdr = (struct msghdr){.msg_iov = &parts[ready], .msg_iovlen = 1};
    }
    int done = ready > 0 ? sendmmsg(fd, messages, ready, 0) : 0;
    if (done > 0) {
      in_flight += (unsigned)done;
      *sent += (unsigned)done;
    }
    for (int i = 0; i < BATCH; i++) {
      parts[i] = (struct iovec){answers[i], ANSWER_SIZE};
      messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    int got = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    if (got > 0) {
      last = now;
      in_flight -= (unsigned)got < in_flight ? (unsigned)got : in_flight;
      for (int i = 0; i < got; i++) count(answers[i], messages[i].msg_len);
    } else if (in_flight >= WINDOW) {
      struct pollfd readable = {.fd = fd, .events = POLLIN};
      poll(&readable, 1, 20);
      if (now > last + LOST_NS) {
        in_flight = 0;
        last = now;
      }
    }
  }
}

/* Latency in microseconds below which this share of the answers is. */
static unsigned percentile(double share) {
  uint64_t rank = (uint64_t)((double)answered * share), seen = 0;
  for (unsigned latency = 0; latency <= MAX_LATENCY_US; latency++) {
    seen += histogram[latency];
    if (seen > rank) return latency;
  }
  return 0;
}

static int open_socket(const char *address, const char *port) {
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = v4.sin_port};
  int six = strchr(address, ':') != NULL;
  if (inet_pton(six ? AF_INET6 : AF_INET, address,
                six ? (void *)&v6.sin6_addr : (void *)&v4.sin_addr) != 1)
    return -1;
  int fd = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
  int size = RECEIVE_BUFFER;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  int failed_to = six ? connect(fd, (struct sockaddr *)&v6, sizeof v6)
                      : connect(fd, (struct sockaddr *)&v4, sizeof v4);
  return failed_to ? -1 : fd;
}

int main(int argc, char **argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: %s ADDRESS PORT RATE SECONDS NAMES\n", argv[0]);
    return 2;
  }
  double rate = atof(argv[3]), seconds = atof(argv[4]);
  names = (unsigned)atoi(argv[5]);
  int fd = open_socket(argv[1], argv[2]);
  if (fd < 0 || names == 0) {
    perror("socket");
    return 1;
  }
  uint64_t sent = 0, start = clock_ns(CLOCK_MONOTONIC);
  uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
  if (rate > 0) run_open(fd, rate, seconds, &sent);
  else run_closed(fd, seconds, &sent);
  cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  double took = rate > 0 ? seconds : (double)(clock_ns(CLOCK_MONOTONIC) - start) / 1e9;
  printf("{\"sent\":%llu,\"answered\":%llu,\"failed\":%llu,\"queriesPerSecond\":%.0f,"
         "\"cpuMicroseconds\":%.0f,\"p50\":%u,\"p99\":%u}\n",
         (unsigned long long)sent, (unsigned long long)answered, (unsigned long long)failed,
         (double)answered / took, (double)cpu / 1e3, percentile(0.5), percentile(0.99));
  return 0;
}
