/** Constants of Linux system calls, equal on x86-64 and aarch64 unless noted. */

/** Error numbers that callers distinguish. */
export const ERRNO = {
  ...{ PERM: 1, NOENT: 2, SRCH: 3, AGAIN: 11, NOMEM: 12, ACCES: 13, EXIST: 17, NODEV: 19 },
  ...{ INVAL: 22, NFILE: 23, MFILE: 24, NOSYS: 38, OPNOTSUPP: 95, ADDRINUSE: 98 },
  ...{ ADDRNOTAVAIL: 99, NOBUFS: 105, TIMEDOUT: 110, INPROGRESS: 115 },
} as const;
/** Address families. */
export const AF = { UNIX: 1, INET: 2, INET6: 10, NETLINK: 16 } as const;
/** Socket types and flags. */
export const SOCK = { STREAM: 1, DGRAM: 2, RAW: 3, NONBLOCK: 0o4000, CLOEXEC: 0o2000000 } as const;
/** Values of SO.PROTOCOL. */
export const IPPROTO = { TCP: 6, UDP: 17 } as const;
/** Levels of socket options. */
export const SOL = { IP: 0, SOCKET: 1, TCP: 6, IPV6: 41, NETLINK: 270 } as const;
/** Options of level SOL.SOCKET. */
export const SO = {
  ...{
    REUSEADDR: 2,
    TYPE: 3,
    ERROR: 4,
    SNDBUF: 7,
    RCVBUF: 8,
    LINGER: 13,
    REUSEPORT: 15,
    PEERCRED: 17,
  },
  ...{ ATTACH_FILTER: 26, ACCEPTCONN: 30, MARK: 36, PROTOCOL: 38, ATTACH_REUSEPORT_CBPF: 51 },
  ...{ MEMINFO: 55, COOKIE: 57 },
} as const;
/** SO.MEMINFO: index of dropped datagrams, and length in words. */
export const SK_MEMINFO = { DROPS: 8, WORDS: 9 } as const;
/** Options of level SOL.TCP: send small segments at once; milliseconds without acknowledgement. */
export const TCP = { NODELAY: 1, USER_TIMEOUT: 18 } as const;
/** Option of level SOL.IP, and its control message: a datagram's destination. */
export const IP = { PKTINFO: 8 } as const;
/** Options of level SOL.IPV6: exclude IPv4; `IP.PKTINFO` for IPv6. */
export const IPV6 = { V6ONLY: 26, RECVPKTINFO: 49 } as const;
/** Request of ioctl: bytes in the send queue. */
export const SIOCOUTQ = 0x5411;
/** TCP states; an unconnected UDP socket is CLOSE. */
export const SOCKET_STATE = { ESTABLISHED: 1, SYN_RECV: 3, CLOSE: 7, LISTEN: 10 } as const;
/** Ends sending. */
export const SHUT_WR = 1;
/** Flags of send and receive calls. */
export const MSG = { DONTWAIT: 0x40, NOSIGNAL: 0x4000, TRUNC: 0x20 } as const;
/** Events, then operations, of epoll. */
export const EPOLL = {
  IN: 1,
  OUT: 4,
  ERR: 8,
  HUP: 16,
  ET: 1 << 31,
  ADD: 1,
  DEL: 2,
  MOD: 3,
} as const;
/** Flag of epoll_create1. */
export const EPOLL_CLOEXEC = 0o2000000;
/** Flag of eventfd. */
export const EFD_NONBLOCK = 0o4000;

/** Layout of `struct epoll_event`, packed on x86-64 only. */
export const EPOLL_EVENT = Deno.build.arch === "x86_64"
  ? { size: 12, data: 4 }
  : { size: 16, data: 8 };

/** Layout of `struct mmsghdr` on 64-bit systems. */
export const MMSGHDR = {
  size: 64,
  name: 0,
  nameLength: 8,
  iov: 16,
  iovLength: 24,
  control: 32,
  controlLength: 40,
  flags: 48,
  length: 56,
} as const;

/** Commands of fcntl. */
export const F = { GETFD: 1, SETFD: 2, GETFL: 3, SETFL: 4, DUPFD_CLOEXEC: 1030 } as const;
/** Descriptor flag of F.GETFD. */
export const FD_CLOEXEC = 1;
/** Flags of open and F.SETFL. */
export const O = { WRONLY: 1, NONBLOCK: 0o4000, CLOEXEC: 0o2000000 } as const;
/** Offset of the name in `struct dirent`. */
export const DIRENT = { name: 19 } as const;
/** Advice of madvise. */
export const MADV_DONTNEED = 4;
/** Protection of mmap. */
export const PROT = { READ: 1, WRITE: 2 } as const;
/** Flag of mmap. */
export const MAP_SHARED = 1;
/** Clocks of clock_gettime; BOOTTIME includes suspended time. */
export const CLOCK = { MONOTONIC: 1, BOOTTIME: 7 } as const;
/** Resource of getrlimit: open files. */
export const RLIMIT_NOFILE = 7;
/** Resource of getrlimit: octets of locked memory. */
export const RLIMIT_MEMLOCK = 8;
/** Number of the system call bpf(2). */
export const SYS_BPF = Deno.build.arch === "x86_64" ? 321 : 280;
