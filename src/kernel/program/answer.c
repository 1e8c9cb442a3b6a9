/*
 * Answers cached questions where their packets come in (tc, ingress), from the memory that
 * src/engine/kernel/layout.ts describes. Whatever it does not answer it leaves untouched.
 *
 * release/kernel_program.ts compiles it (`deno task kernel-program`) with the numbers of layout.ts as
 * macros: CONF_SEED for CONF.SEED, OUTCOME_FORM for "form".
 *
 * What the verifier of older kernels needs, and what would be shorter for the newest alone:
 * - BOUND: a mask in assembler, because the compiler drops one that it has proven to change nothing,
 *   and not every verifier can follow that proof.
 * - Loops read their end from memory at every step. The verifier then knows nothing about it, so that
 *   all ways out of a loop are one state; otherwise they multiply, and it works for minutes.
 * - Nothing is read from a variable place of the stack; hence the memory "scratch".
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long s64;

#define INLINE static inline __attribute__((always_inline))
#define SECTION(name) __attribute__((section(name), used))
#define BE16(x) ((u16)__builtin_bswap16(x))
#define U16(base, at) (*(u16 *)((base) + (at)))
#define U32(base, at) (*(u32 *)((base) + (at)))
#define U64(base, at) (*(u64 *)((base) + (at)))
#define BOUND(x, mask) asm volatile("%0 &= %1" : "+r"(x) : "i"(mask))

/* struct __sk_buff */
struct packet {
  u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto, priority;
  u32 ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end, napi_id, family;
  u32 remote_ip4, local_ip4, remote_ip6[4], local_ip6[4], remote_port, local_port, data_meta;
  u64 flow_keys, tstamp;
  u32 wire_len, gso_segs;
  u64 sk;
  u32 gso_size;
};

/* struct bpf_sock */
struct socket {
  u32 bound_dev_if, family, type, protocol, mark, priority, src_ip4, src_ip6[4], src_port;
  u32 dst_port, dst_ip4, dst_ip6[4], state;
};

/* Helpers of the kernel, by their numbers. */
static void *(*const map_lookup)(void *map, const void *key) = (void *)1;
static u64 (*const ktime_get_boot_ns)(void) = (void *)125;
static long (*const store_bytes)(void *, u32 at, const void *from, u32 size, u64 flags) = (void *)9;
static long (*const l4_csum_replace)(void *, u32 at, u64 from, u64 to, u64 flags) = (void *)11;
static long (*const redirect)(u32 ifindex, u64 flags) = (void *)23;
static long (*const load_bytes)(const void *, u32 at, void *to, u32 size) = (void *)26;
static s64 (*const csum_diff)(void *from, u32, void *to, u32 size, u32 seed) = (void *)28;
static long (*const change_tail)(void *, u32 size, u64 flags) = (void *)38;
static s64 (*const csum_update)(void *, u32 sum) = (void *)40;
static void *(*const sk_lookup_udp)(void *, void *tuple, u32 size, u64 netns, u64) = (void *)85;
static long (*const sk_release)(void *socket) = (void *)86;

/* Only their names count: the loader puts in the descriptors. */
SECTION("maps") char conf, buckets, small, large, outcomes, scratch;

/* Flags of l4_csum_replace: part of the pseudo-header; 0 means no checksum. */
#define PSEUDO_HEADER (1 << 4)
#define MANGLED_0 (1 << 5)
/* Verdicts: go on with the next program; stop and go on with the packet; drop it. */
#define NEXT (-1)
#define PASS 0
#define DROP 2

#define ETHERNET 14
#define IPV4 (ETHERNET + 20)
#define IPV6 (ETHERNET + 40)
#define UDP 8
#define HEADER 12
/* Type and class. */
#define FIELDS 4
/* An OPT record without options. */
#define OPT 11
#define MAX_NAME 255
#define MAX_QUERY (HEADER + MAX_NAME + FIELDS + OPT)
#define IP_UDP 17
#define HOP_LIMIT 64
#define RD 0x100
#define AD 0x20
#define CD 0x10
#define NANOSECONDS 1000000000ull
#define OWN_NAMESPACE (-1ull)

/* Not for nodens. */
#define FOREIGN (-1)
/* Half changed: must not go on. */
#define SPOILT (-2)

/* The scratch memory: the query, its name at a multiple of eight, then what the verifier must forget. */
#define QUERY 4
#define NAME (QUERY + HEADER)
#define HIDDEN_NAME_LENGTH 520
#define HIDDEN_NAME_AT 524
#define HIDDEN_ENDPOINT 528
#define HIDDEN(at) (*(volatile u32 *)(s + (at)))
_Static_assert(QUERY + 511 <= HIDDEN_NAME_LENGTH, "the query has room");
_Static_assert(HIDDEN_ENDPOINT + 4 <= SCRATCH_SIZE, "so has the rest");
_Static_assert(OUTCOMES_SIZE == 8 * 8 && BUCKET_SIZE == 8 * WAYS, "sizes as assumed below");
_Static_assert(ENDPOINT_FAMILY == ENDPOINT_PORT + 2, "port and family are one word");
_Static_assert(SLOT_TTLS + 2 * SMALL_SLOT_TTLS <= SMALL_SLOT_DATA, "TTLs end before the body");
_Static_assert(SLOT_TTLS + 2 * LARGE_SLOT_TTLS <= SMALL_SLOT_SIZE_BYTES, "as many are read of both");

INLINE u32 rotate(u32 x, int bits) { return x << bits | x >> (32 - bits); }

INLINE u32 mix(u32 hash, u32 word) {
  return rotate(hash ^ rotate(word * 0xcc9e2d51u, 15) * 0x1b873593u, 13) * 5 + 0xe6546b64u;
}

/* Sums in one's complement; a sum of odd place counts 256 times. */
INLINE u32 fold(u64 sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}
INLINE u32 minus(u16 word) { return 0xffff - word; }
INLINE u32 halves(u32 word) { return (word & 0xffff) + (word >> 16); }

/* An OPT record without options, at an even place. */
INLINE u32 sum_of_opt(u32 size, u32 dnssec_ok) { return 41 + size + (dnssec_ok << 15); }

/* The slot in a bucket; 0 if there is none. */
INLINE u32 find(u32 hash, u32 bucket) {
  u8 *ways = map_lookup(&buckets, &bucket);
  u32 slot = 0;
  if (!ways) return 0;
#pragma clang loop unroll(full)
  for (int i = 0; i < WAYS; i++) {
    if (U32(ways, 8 * i) == hash && U32(ways, 8 * i + 4)) slot = U32(ways, 8 * i + 4);
  }
  return slot;
}

/* The sum of a slot's body with new TTLs. */
INLINE u64 sum_of_body(u8 *slot, u8 *body, u32 room, u64 padded, u32 ttl) {
  u64 sum = 0;
  u32 i;
#pragma clang loop unroll(full)
  for (i = 0; i < MAX_ANSWER; i += 512) {
    /* 512 octets are the most of older kernels. */
    if (padded <= i) break;
    u64 part = padded - i;
    if (part > 512) part = 512;
    BOUND(part, 1020);
    if (part > 512 || i + part > room) break;
    sum = (u32)csum_diff(0, 0, body + i, part, sum);
  }
#pragma clang loop unroll(disable)
  for (i = 0; i < LARGE_SLOT_TTLS; i++) {
    if (i >= *(volatile u16 *)(slot + SLOT_TTL_COUNT)) break;
    u64 o = U16(slot, SLOT_TTLS + 2 * i), shift = (o & 1) << 3;
    BOUND(o, 2047);
    if (o > room - 4) break;
    sum += (u64)(halves(ttl) + 2 * 0xffff - halves(U32(body, o))) << shift;
  }
  return sum;
}

/*
 * Whether the socket that asked is connected to the address that answers. If not, rules of nat may
 * have led the query here from another address, and an answer from here would miss the way back.
 */
INLINE int is_connected(struct packet *packet, int v6) {
  u8 *data = (void *)(long)packet->data, *end = (void *)(long)packet->data_end;
  u32 tuple[9] = {};
  volatile struct socket *socket;
  int connected;
  if (v6) {
    if (data + IPV6 + UDP > end) return 0;
    for (int i = 0; i < 4; i++) {
      tuple[i] = U32(data, ETHERNET + 24 + 4 * i);
      tuple[4 + i] = U32(data, ETHERNET + 8 + 4 * i);
    }
    tuple[8] = U16(data, IPV6 + 2) | (u32)U16(data, IPV6) << 16;
    socket = sk_lookup_udp(packet, tuple, 36, OWN_NAMESPACE, 0);
    if (!socket) return 0;
    connected = socket->dst_ip6[0] == tuple[0] && socket->dst_ip6[1] == tuple[1] &&
      socket->dst_ip6[2] == tuple[2] && socket->dst_ip6[3] == tuple[3];
  } else {
    if (data + IPV4 + UDP > end) return 0;
    tuple[0] = U32(data, ETHERNET + 16);
    tuple[1] = U32(data, ETHERNET + 12);
    tuple[2] = U16(data, IPV4 + 2) | (u32)U16(data, IPV4) << 16;
    socket = sk_lookup_udp(packet, tuple, 12, OWN_NAMESPACE, 0);
    if (!socket) return 0;
    connected = socket->dst_ip4 == tuple[0];
  }
  sk_release((void *)socket);
  return connected;
}

/*
 * Makes the packet an answer, or leaves it untouched; returns the outcome, FOREIGN or SPOILT.
 * `local`: the packet comes from a socket of this machine.
 */
INLINE int answer(struct packet *packet, int local) {
  u8 *data = (void *)(long)packet->data, *end = (void *)(long)packet->data_end, *udp;
  u32 zero = 0, at, length, wanted, i;
  u64 address, address_end = 0;
  if (data + IPV4 + UDP + HEADER > end) return FOREIGN;
  const u16 protocol = U16(data, 12);
  const int v6 = protocol == BE16(0x86dd);
  if (v6) {
    if (data[ETHERNET + 6] != IP_UDP || data + IPV6 + UDP + HEADER > end) return FOREIGN;
    udp = data + IPV6;
    length = BE16(U16(data, ETHERNET + 4)) - UDP;
    address = U64(data, ETHERNET + 24);
    address_end = U64(data, ETHERNET + 32);
    at = IPV6 + UDP;
    wanted = U16(udp, 2) | 6 << 16;
  } else {
    if (protocol != BE16(0x0800) || data[ETHERNET + 9] != IP_UDP) return FOREIGN;
    udp = data + IPV4;
    length = BE16(U16(data, ETHERNET + 2)) - 20 - UDP;
    address = U32(data, ETHERNET + 16);
    at = IPV4 + UDP;
    wanted = U16(udp, 2) | 4 << 16;
  }

  /* Loopback addresses are for lo alone: the kernel drops such packets elsewhere. */
  const int loopback = v6 ? !address && address_end == 1ull << 56 : (address & 0xff) == 127;
  if (!local && loopback) return FOREIGN;
  u8 *c = map_lookup(&conf, &zero);
  if (!c) return FOREIGN;
#pragma clang loop unroll(disable)
  for (i = 0; i < MAX_ENDPOINTS; i++) {
    if (i >= *(volatile u32 *)(c + CONF_ENDPOINTS)) return FOREIGN;
    u8 *endpoint = c + CONF_ENDPOINT + i * ENDPOINT_SIZE;
    if (
      U32(endpoint, ENDPOINT_PORT) == wanted && U64(endpoint, ENDPOINT_ADDRESS) == address &&
      U64(endpoint, ENDPOINT_ADDRESS + 8) == address_end
    ) break;
  }
  if (i >= MAX_ENDPOINTS) return FOREIGN;
  u8 *s = map_lookup(&scratch, &zero);
  if (!s) return OUTCOME_FAILED;
  HIDDEN(HIDDEN_ENDPOINT) = i;

  /* For this machine, one datagram, no tag, no options, no fragment, lengths that agree. */
  if (packet->pkt_type || packet->gso_size || packet->vlan_present) return OUTCOME_FORM;
  if (v6) {
    if (data[ETHERNET] >> 4 != 6 || !U16(udp, 6)) return OUTCOME_FORM;
  } else if (data[ETHERNET] != 0x45 || U16(data, ETHERNET + 6) & BE16(0xbfff)) {
    return OUTCOME_FORM;
  }
  if (!U16(udp, 0) || BE16(U16(udp, 4)) != length + UDP) return OUTCOME_FORM;
  if (length > MAX_QUERY || packet->len < at + length) return OUTCOME_FORM;
  u64 size = length;
  BOUND(size, 511);
  if (size < HEADER + 1 + FIELDS || load_bytes(packet, at, s + QUERY, size)) return OUTCOME_FORM;

  /* A standard query with one question and perhaps one more record. */
  const u16 flags = U16(s, QUERY + 2), edns = U16(s, QUERY + 10);
  if (
    flags & BE16(0xffff & ~(RD | AD | CD)) || U16(s, QUERY + 4) != BE16(1) ||
    U32(s, QUERY + 6) || edns & BE16(0xfffe)
  ) return OUTCOME_FORM;
  const u32 opt = edns ? OPT : 0;
  u64 name_length = length - HEADER - FIELDS - opt;
  if (name_length - 1 > MAX_NAME - 1) return OUTCOME_FORM;
  HIDDEN(HIDDEN_NAME_LENGTH) = name_length;
  BOUND(name_length, 255);
  u8 *tail = s + NAME + name_length;
  const u16 qtype = BE16(U16(tail, 0));
  u32 key = 0, asked = 0;
  if (U16(tail, 2) != BE16(1)) return OUTCOME_FORM;
  if (edns) {
    /* The root's OPT record; no extended rcode, version 0, no flag but DO, no options. */
    if (
      tail[4] || U16(tail, 5) != BE16(41) || U16(tail, 9) || U16(tail, 11) & BE16(0x7fff) ||
      U16(tail, 13)
    ) return OUTCOME_FORM;
    asked = BE16(U16(tail, 7));
    key = tail[11] >> 7;
  }
  const u32 dnssec_ok = key;
  if (flags & BE16(CD)) key |= 2;

  /* Fold the name to lower case and hash it. */
  U64(tail, 0) = 0;
  u32 hash = U32(c, CONF_SEED);
#pragma clang loop unroll(disable)
  for (i = 0; i < (MAX_NAME + 1) / 8; i++) {
    if (8 * i >= HIDDEN(HIDDEN_NAME_LENGTH)) break;
    u64 word = U64(s, NAME + 8 * i), low = word & 0x7f7f7f7f7f7f7f7full;
    low = (low + 0x3f3f3f3f3f3f3f3full) ^ (low + 0x2525252525252525ull);
    word |= (low & ~word & 0x8080808080808080ull) >> 2;
    U64(s, NAME + 8 * i) = word;
    hash = mix(hash, word);
    if (8 * i + 4 < HIDDEN(HIDDEN_NAME_LENGTH)) hash = mix(hash, word >> 32);
  }
  const u32 endpoint = HIDDEN(HIDDEN_ENDPOINT);
  hash = mix(hash, qtype | key << 16 | endpoint << 24);
  hash ^= hash >> 16;
  hash *= 0x85ebca6b;
  hash ^= hash >> 13;
  hash *= 0xc2b2ae35;
  hash ^= hash >> 16;

  u32 number = find(hash, hash & U32(c, CONF_BUCKET_MASK));
  if (!number) number = find(hash, hash >> SECOND_BUCKET & U32(c, CONF_BUCKET_MASK));
  if (!number) return OUTCOME_ABSENT;
  u8 *slot, *body;
  u32 room;
  if (number & LARGE) {
    number &= ~LARGE;
    slot = map_lookup(&large, &number);
    if (!slot) return OUTCOME_ABSENT;
    body = slot + LARGE_SLOT_DATA;
    room = LARGE_SLOT_SIZE_BYTES - LARGE_SLOT_DATA;
  } else {
    slot = map_lookup(&small, &number);
    if (!slot) return OUTCOME_ABSENT;
    body = slot + SMALL_SLOT_DATA;
    room = SMALL_SLOT_SIZE_BYTES - SMALL_SLOT_DATA;
  }
  if (
    U32(slot, SLOT_HASH) != hash || U32(slot, SLOT_GENERATION) != U32(c, CONF_GENERATION) ||
    U16(slot, SLOT_ENDPOINT) != endpoint || U16(slot, SLOT_QTYPE) != qtype ||
    U16(slot, SLOT_KEY) != key || U16(slot, SLOT_NAME_LENGTH) != name_length
  ) return OUTCOME_ABSENT;
  u64 body_length = U16(slot, SLOT_BODY_LENGTH);
  BOUND(body_length, 2047);
  u64 padded = body_length + 7;
  BOUND(padded, 2040);
  if (body_length > room || padded > room) return OUTCOME_ABSENT;
  HIDDEN(HIDDEN_NAME_AT) = padded;
  u64 differs = 0;
#pragma clang loop unroll(disable)
  for (i = 0; i < (MAX_NAME + 1) / 8; i++) {
    if (8 * i >= HIDDEN(HIDDEN_NAME_LENGTH)) break;
    u64 o = HIDDEN(HIDDEN_NAME_AT) + 8 * i;
    BOUND(o, 2047);
    if (o > room - 8) return OUTCOME_ABSENT;
    differs |= U64(body, o) ^ U64(s, NAME + 8 * i);
  }
  if (differs) return OUTCOME_ABSENT;

  const u64 now = ktime_get_boot_ns(), expires = U64(slot, SLOT_EXPIRES);
  if (now >= U64(c, CONF_ALIVE_UNTIL)) return OUTCOME_STOPPED;
  if (now >= expires) return OUTCOME_EXPIRED;
  if (now >= U64(slot, SLOT_REFRESH)) return OUTCOME_DUE;
  const u32 ttl = __builtin_bswap32((expires - now + NANOSECONDS - 1) / NANOSECONDS);
  const u32 new_length = HEADER + name_length + FIELDS + body_length + opt;
  u32 limit = U16(slot, SLOT_LIMIT);
  if (asked < limit) limit = asked;
  if (new_length > (limit < 512 ? 512 : limit)) return OUTCOME_SIZE;
  if (local && !is_connected(packet, v6)) return OUTCOME_FORM;
  /* A checksum of the whole packet would be wrong afterwards; only growing drops it. */
  if (at + new_length <= packet->len && csum_update(packet, 0) >= 0) return OUTCOME_FORM;

  if (change_tail(packet, at + new_length, 0)) return OUTCOME_FAILED;
  u64 body_at = at + HEADER + FIELDS + name_length;
  if (body_length) {
    /* Older verifiers take no size that may be 0, and learn nothing from "not 0". */
    u64 last = body_length - 1;
    BOUND(last, 2047);
    if (last >= room || store_bytes(packet, body_at, body, last + 1, 0)) return SPOILT;
  }
  data = (void *)(long)packet->data;
  end = (void *)(long)packet->data_end;
  if (data + IPV4 + UDP + HEADER > end) return SPOILT;
#pragma clang loop unroll(disable)
  for (i = 0; i < LARGE_SLOT_TTLS; i++) {
    if (i >= *(volatile u16 *)(slot + SLOT_TTL_COUNT)) break;
    u64 o = body_at + U16(slot, SLOT_TTLS + 2 * i);
    BOUND(o, 4095);
    u8 *to = data + o;
    if (to + 4 > end) return SPOILT;
    U32(to, 0) = ttl;
  }
  const u32 payload = U16(slot, SLOT_PAYLOAD);
  if (edns) {
    u64 o = body_at + body_length;
    BOUND(o, 4095);
    u8 *record = data + o;
    if (record + OPT > end) return SPOILT;
    record[0] = 0;
    U16(record, 1) = BE16(41);
    U16(record, 3) = BE16(payload);
    U16(record, 5) = 0;
    U16(record, 7) = dnssec_ok << 7;
    U16(record, 9) = 0;
  }

  const u32 mac = U32(data, 0), mac_end = U16(data, 4);
  U32(data, 0) = U32(data, 6);
  U16(data, 4) = U16(data, 10);
  U32(data, 6) = mac;
  U16(data, 10) = mac_end;
  if (v6) {
    if (data + IPV6 + UDP + HEADER > end) return SPOILT;
    u8 *ip = data + ETHERNET;
    U16(ip, 4) = BE16(new_length + UDP);
    ip[7] = HOP_LIMIT;
    const u64 from = U64(ip, 8), from_end = U64(ip, 16);
    U64(ip, 8) = U64(ip, 24);
    U64(ip, 16) = U64(ip, 32);
    U64(ip, 24) = from;
    U64(ip, 32) = from_end;
    udp = data + IPV6;
  } else {
    u8 *ip = data + ETHERNET;
    u64 ip_sum = minus(U16(ip, 10)) + minus(U16(ip, 2)) + minus(U16(ip, 8));
    U16(ip, 2) = BE16(new_length + 20 + UDP);
    ip[8] = HOP_LIMIT;
    U16(ip, 10) = ~fold(ip_sum + U16(ip, 2) + U16(ip, 8));
    const u32 from = U32(ip, 12);
    U32(ip, 12) = U32(ip, 16);
    U32(ip, 16) = from;
    udp = data + IPV4;
  }
  const u32 port = U16(udp, 0);
  U16(udp, 0) = U16(udp, 2);
  U16(udp, 2) = port;
  U16(udp, 4) = BE16(new_length + UDP);
  u8 *message = udp + UDP;
  u16 new_flags = U16(slot, SLOT_FLAGS) | (flags & BE16(RD | CD));
  if (!dnssec_ok && !(flags & BE16(AD))) new_flags &= BE16(0xffff & ~AD);
  const u16 additional = U16(slot, SLOT_COUNTS + 4);
  U16(message, 2) = new_flags;
  U32(message, 6) = U32(slot, SLOT_COUNTS);
  /* Fewer than 256 records. */
  U16(message, 10) = additional + edns;

  /*
   * The kernel alone knows whether the sender left the checksum to its hardware, so that it is only
   * the pseudo-header's sum. Then this call adds to it, otherwise it takes from it.
   */
  const u32 check = U16(udp, 6), check_at = at - 2;
  const u32 longer = fold(BE16(new_length + UDP) + minus(BE16(length + UDP)));
  if (check) {
    if (l4_csum_replace(packet, check_at, 0, longer, PSEUDO_HEADER | MANGLED_0)) return SPOILT;
    data = (void *)(long)packet->data;
    end = (void *)(long)packet->data_end;
    if (data + (v6 ? IPV6 : IPV4) + UDP > end) return SPOILT;
    const u32 now_check = U16(data, (v6 ? IPV6 : IPV4) + 6);
    if (longer == 0xffff || now_check != fold(check + longer)) {
      u64 sum = sum_of_body(slot, body, room, padded, ttl);
      if (edns) {
        sum += (u64)sum_of_opt(payload, dnssec_ok) << ((body_length & 1) << 3);
        sum += 2 * 0xffff - sum_of_opt(asked, dnssec_ok);
      }
      sum = (u64)fold(sum) << ((name_length & 1) << 3);
      sum += longer + new_flags + minus(flags) + halves(U32(slot, SLOT_COUNTS)) + additional;
      if (l4_csum_replace(packet, check_at, 0, fold(sum), MANGLED_0)) return SPOILT;
    }
  }
  __sync_fetch_and_add((u32 *)(slot + (edns ? SLOT_ANSWERS_EDNS : SLOT_ANSWERS)), 1);
  return OUTCOME_ANSWERED;
}

/* Counts the outcome; returns the verdict, which is `sent` for an answer. */
#define ANSWER(packet, local, sent) \
  int outcome = answer(packet, local); \
  u32 zero = 0; \
  if (outcome == FOREIGN) return NEXT; \
  u64 *counts = map_lookup(&outcomes, &zero); \
  u64 index = outcome == SPOILT ? OUTCOME_FAILED : outcome; \
  BOUND(index, 7); \
  if (counts) counts[index]++; \
  if (outcome == OUTCOME_ANSWERED) return sent; \
  return outcome == SPOILT ? DROP : NEXT;

/* Out of the interface that the query came in by: a bridge, or the host's end of a veth. */
SECTION("tc/redirect") int tc_redirect(struct packet *packet) {
  ANSWER(packet, 0, redirect(packet->ifindex, 0))
}

/* From the loopback interface up to the socket that asked. */
SECTION("tc/local") int tc_local(struct packet *packet) { ANSWER(packet, 1, PASS) }
