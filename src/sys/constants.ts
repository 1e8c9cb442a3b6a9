/** Numbers of the Linux system call interface; the same on x86-64 and aarch64 unless said. */

/** Error numbers of socket calls; those of netlink's answers are in `rtnetlink.ts`. */
export const ERRNO = {
  AGAIN: 11,
  NOMEM: 12,
  NFILE: 23,
  MFILE: 24,
  ADDRINUSE: 98,
  NOBUFS: 105,
  INPROGRESS: 115,
} as const;
/** Address families. */
export const AF = { UNSPEC: 0, UNIX: 1, INET: 2, INET6: 10, NETLINK: 16 } as const;
/** Socket types and the flags that go with them. */
export const SOCK = { STREAM: 1, DGRAM: 2, RAW: 3, NONBLOCK: 0o4000, CLOEXEC: 0o2000000 } as const;
/** Levels of socket options. */
export const SOL = { IP: 0, SOCKET: 1, TCP: 6, IPV6: 41, NETLINK: 270 } as const;
/** Socket options. */
export const SO = {
  REUSEADDR: 2,
  TYPE: 3,
  ERROR: 4,
  RCVBUF: 8,
  SNDBUF: 7,
  LINGER: 13,
  REUSEPORT: 15,
  ATTACH_FILTER: 26,
  ACCEPTCONN: 30,
  MARK: 36,
  PROTOCOL: 38,
  ATTACH_REUSEPORT_CBPF: 51,
  MEMINFO: 55,
  COOKIE: 57,
} as const;
/** Place of the dropped datagrams among the words that SO.MEMINFO reads, and their number. */
export const SK_MEMINFO = { DROPS: 8, WORDS: 9 } as const;
/** TCP option: send small segments at once. */
export const TCP_NODELAY = 1;
/** TCP option: milliseconds after which data that the peer does not take ends the connection. */
export const TCP_USER_TIMEOUT = 18;
/** Request of ioctl: bytes in a socket's send queue. */
export const SIOCOUTQ = 0x5411;
/** IPv4 option: control messages with the address that was asked. */
export const IP_PKTINFO = 8;
/** IPv6 option: take no IPv4 in. */
export const IPV6_V6ONLY = 26;
/** IPv6 option: control messages with the address that was asked. */
export const IPV6_RECVPKTINFO = 49;
/** States of a socket (TCP's; a UDP socket that is not connected is CLOSE). */
export const SOCKET_STATE = { ESTABLISHED: 1, SYN_RECV: 3, CLOSE: 7, LISTEN: 10 } as const;
/** What `shutdown` ends: sending. */
export const SHUT_WR = 1;
/** Flags of send and receive calls. */
export const MSG = { DONTWAIT: 0x40, NOSIGNAL: 0x4000, TRUNC: 0x20 } as const;
/** Events and operations of epoll. */
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

/** Layout of `struct epoll_event`: packed on x86-64 alone. */
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

/** Protocols of IP, as SO.PROTOCOL reads them. */
export const IPPROTO = { TCP: 6, UDP: 17 } as const;
/** Commands of fcntl, and the flags that they read and set. */
export const F = { GETFD: 1, SETFD: 2, GETFL: 3, SETFL: 4, DUPFD_CLOEXEC: 1030 } as const;
/** Descriptor flag: closed in a program that this one starts. */
export const FD_CLOEXEC = 1;
/** File status flag: calls do not wait. */
export const O_NONBLOCK = 0o4000;
/** Flag of open: for writing alone. */
export const O_WRONLY = 1;
/** Flag of open: closed in a program that this one starts. */
export const O_CLOEXEC = 0o2000000;

/** Layout of `struct dirent`: where the name stands. */
export const DIRENT = { name: 19 } as const;
/** Advice of madvise(2): what lies there is not needed, or can be read again. */
export const MADV_DONTNEED = 4;

/** The clock that only ever goes forward. */
export const CLOCK_MONOTONIC = 1;
/** As `CLOCK_MONOTONIC`, but it goes on while the machine is suspended. */
export const CLOCK_BOOTTIME = 7;

/** Resource of getrlimit: open file descriptors. */
export const RLIMIT_NOFILE = 7;
