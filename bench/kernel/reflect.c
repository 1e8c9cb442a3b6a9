/*
 * The least that a program in the kernel can do with a query: swaps its addresses, sets QR and sends
 * it back. Programs as in src/kernel/program/answer.c.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define INLINE static inline __attribute__((always_inline))
#define SECTION(name) __attribute__((section(name), used))
#define BE16(x) ((u16)__builtin_bswap16(x))
#define U16(base, at) (*(u16 *)((base) + (at)))
#define U32(base, at) (*(u32 *)((base) + (at)))
#define U64(base, at) (*(u64 *)((base) + (at)))
#define NEXT (-1)
#define PASS 0
#define IP_UDP 17
#define DNS_PORT 53

/* struct __sk_buff, up to what is used. */
struct packet { u32 before[10], ifindex, between[8], data, data_end; };

static long (*const redirect)(u32 ifindex, u64 flags) = (void *)23;

INLINE int reflect(struct packet *packet) {
  u8 *data = (void *)(long)packet->data, *end = (void *)(long)packet->data_end, *udp;
  if (data + 14 + 20 + 8 + 12 > end) return 0;
  if (U16(data, 12) == BE16(0x0800)) {
    if (data[23] != IP_UDP || U16(data, 36) != BE16(DNS_PORT)) return 0;
    udp = data + 34;
    const u32 from = U32(data, 26);
    U32(data, 26) = U32(data, 30);
    U32(data, 30) = from;
  } else if (U16(data, 12) == BE16(0x86dd)) {
    if (data + 14 + 40 + 8 + 12 > end || data[20] != IP_UDP || U16(data, 56) != BE16(DNS_PORT)) return 0;
    udp = data + 54;
    const u64 from = U64(data, 22), from_end = U64(data, 30);
    U64(data, 22) = U64(data, 38);
    U64(data, 30) = U64(data, 46);
    U64(data, 38) = from;
    U64(data, 46) = from_end;
  } else {
    return 0;
  }
  const u32 mac = U32(data, 0), mac_end = U16(data, 4), port = U16(udp, 0);
  U32(data, 0) = U32(data, 6);
  U16(data, 4) = U16(data, 10);
  U32(data, 6) = mac;
  U16(data, 10) = mac_end;
  U16(udp, 0) = U16(udp, 2);
  U16(udp, 2) = port;
  /* Senders on this machine leave the checksum to their hardware, so that it needs no change. */
  udp[8 + 2] |= 0x80;
  return 1;
}

SECTION("tc/redirect") int tc_redirect(struct packet *packet) {
  return reflect(packet) ? redirect(packet->ifindex, 0) : NEXT;
}
SECTION("tc/local") int tc_local(struct packet *packet) { return reflect(packet) ? PASS : NEXT; }
