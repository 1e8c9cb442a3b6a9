import type * as codec from "dns-packet";

export const CLIENT_SUBNET = 8;

/** Data of a client subnet option: `192.0.2.0/24`, an IPv6 prefix in full groups, `/0`. */
export function subnet(text: string, scope = 0): Uint8Array {
  const [address, length] = text.split("/") as [string, string];
  const six = address.includes(":");
  const octets = six
    ? address.split(":").flatMap((group) => {
      const value = parseInt(group || "0", 16);
      return [value >> 8, value & 255];
    })
    : address.split(".").map(Number);
  const size = Math.ceil(Number(length) / 8);
  return Uint8Array.of(0, six ? 2 : 1, Number(length), scope, ...octets.slice(0, size));
}

/** Data of a message's client subnet option, or null. */
export function subnetIn(message: codec.DecodedPacket): Uint8Array | null {
  const opt = message.additionals!.find(({ type }) => type === "OPT") as unknown as
    | { options: { code: number; data: Uint8Array }[] }
    | undefined;
  return opt?.options.find(({ code }) => code === CLIENT_SUBNET)?.data ?? null;
}

export type Reply = (asked: Uint8Array) => Uint8Array | null;

/** Returns the subnet with a scope. */
export const scoped = (scope: number): Reply => (asked) => {
  asked[3] = scope;
  return asked;
};
