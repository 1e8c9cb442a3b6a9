interface DescriptorStat {
  isFile: boolean;
  /** `st_dev` of stat(2). */
  device: bigint;
  inode: bigint;
}

const SYMBOLS = {
  /** int statx(int dirfd, const char *path, int flags, unsigned mask, struct statx *buf) */
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const AT_EMPTY_PATH = 0x1000;
/** Type and inode. */
const MASK = 0x1 | 0x100;
const SIZE = 256;
const AT = { mode: 28, inode: 32, major: 136, minor: 140 } as const;
const FILE_TYPE = 0o170000;
const REGULAR_FILE = 0o100000;

/**
 * Describes an open descriptor, or returns null. Deno's `fstat` rejects inherited ones; the
 * fallback, `node:fs`, costs 14 MB and 16 ms.
 */
export async function statDescriptor(descriptor: number): Promise<DescriptorStat | null> {
  const buffer = new Uint8Array(SIZE);
  try {
    const { symbols: { statx } } = Deno.dlopen("libc.so.6", SYMBOLS);
    if (statx(descriptor, new Uint8Array(1), AT_EMPTY_PATH, MASK, buffer) < 0) return null;
  } catch {
    return await statByNode(descriptor);
  }
  const view = new DataView(buffer.buffer);
  return {
    isFile: (view.getUint16(AT.mode, true) & FILE_TYPE) === REGULAR_FILE,
    device: deviceNumber(view.getUint32(AT.major, true), view.getUint32(AT.minor, true)),
    inode: view.getBigUint64(AT.inode, true),
  };
}

/** makedev(3) of glibc. */
function deviceNumber(major: number, minor: number): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) |
    ((low & 0xffffff00n) << 12n) | (low & 0xffn);
}

async function statByNode(descriptor: number): Promise<DescriptorStat | null> {
  const { fstatSync } = await import("node:fs");
  try {
    const stat = fstatSync(descriptor, { bigint: true });
    return { isFile: stat.isFile(), device: stat.dev, inode: stat.ino };
  } catch {
    return null;
  }
}
