/*
 * The first process of a virtual machine: loads the programs of "programs.h", which
 * tests/machines/kernel_programs.ts writes, runs each with the packets there, and powers off.
 */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

struct map { const char *name; int type; unsigned value, entries; const uint8_t *content; unsigned size; };
struct relocation { unsigned at, map; };
struct program { const char *name; uint8_t *code; unsigned size, relocations; const struct relocation *relocation; };
/* Octets that a test run gives back; a verdict that means "unchanged" says so. */
struct packet { const char *name; const uint8_t *in; unsigned in_size; const uint8_t *out; unsigned out_size; unsigned verdict[8]; };
#include "programs.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
static char words[1 << 16];

static int bpf(int command, union bpf_attr *attr) { return syscall(SYS_bpf, command, attr, sizeof *attr); }

static uint8_t *memories[COUNT(maps)];

static uint64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000ull + now.tv_nsec;
}

/* Times in the maps are relative. */
static void set_times(void) {
  for (unsigned t = 0; t < COUNT(times); t++) {
    const uint64_t *left = (void *)(maps[times[t].map].content + times[t].at);
    *(uint64_t *)(memories[times[t].map] + times[t].at) = nanoseconds() + *left;
  }
}

int main(void) {
  struct utsname system;
  struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
  int fds[COUNT(maps)];
  uname(&system);
  setrlimit(RLIMIT_MEMLOCK, &unlimited);
  printf("KERNEL %s\n", system.release);
  for (unsigned i = 0; i < COUNT(maps); i++) {
    union bpf_attr attr = { .map_type = maps[i].type, .key_size = 4, .value_size = maps[i].value, .max_entries = maps[i].entries };
    if (maps[i].type == BPF_MAP_TYPE_ARRAY) attr.map_flags = BPF_F_MMAPABLE;
    fds[i] = bpf(BPF_MAP_CREATE, &attr);
    if (fds[i] < 0) { printf("FAILED map %s: %m\n", maps[i].name); continue; }
    if (!maps[i].size) continue;
    uint8_t *memory = mmap(0, maps[i].value * maps[i].entries, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], 0);
    if (memory == MAP_FAILED) { printf("FAILED mmap %s: %m\n", maps[i].name); continue; }
    memcpy(memory, maps[i].content, maps[i].size);
    memories[i] = memory;
  }
  for (unsigned p = 0; p < COUNT(programs); p++) {
    union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SCHED_CLS, .insns = (uintptr_t)programs[p].code, .insn_cnt = programs[p].size / 8,
      .license = (uintptr_t)"Apache-2.0", .log_buf = (uintptr_t)words, .log_size = sizeof words, .log_level = 4 };
    for (unsigned r = 0; r < programs[p].relocations; r++) {
      struct bpf_insn *at = (void *)(programs[p].code + programs[p].relocation[r].at);
      at->src_reg = BPF_PSEUDO_MAP_FD;
      at->imm = fds[programs[p].relocation[r].map];
    }
    uint64_t start = nanoseconds();
    int fd = bpf(BPF_PROG_LOAD, &attr);
    if (fd < 0) { printf("FAILED %s: %m\n%s\n", programs[p].name, words); continue; }
    unsigned right = 0;
    char *processed = strstr(words, "processed ");
    printf("LOADED %s in %u ms: %s", programs[p].name, (unsigned)((nanoseconds() - start) / 1000000), processed ? processed : "\n");
    for (unsigned k = 0; k < COUNT(packets); k++) {
      static uint8_t out[2048];
      set_times();
      union bpf_attr run = { .test = { .prog_fd = fd, .data_in = (uintptr_t)packets[k].in, .data_size_in = packets[k].in_size,
        .data_out = (uintptr_t)out, .data_size_out = sizeof out, .repeat = 1 } };
      if (bpf(BPF_PROG_TEST_RUN, &run)) { printf("FAILED %s %s: %m\n", programs[p].name, packets[k].name); continue; }
      if (run.test.retval != packets[k].verdict[p] || run.test.data_size_out != packets[k].out_size || memcmp(out, packets[k].out, packets[k].out_size)) {
        printf("FAILED %s %s: verdict %d, %u octets\n", programs[p].name, packets[k].name, run.test.retval, run.test.data_size_out);
        for (unsigned i = 0; i < run.test.data_size_out; i++) printf("%02x", out[i]);
        printf("\n");
      } else right++;
    }
    printf("RIGHT %s: %u\n", programs[p].name, right);
  }
  printf("END\n");
  fflush(stdout);
  sleep(1);
  reboot(RB_POWER_OFF);
}
