// @ts-types="@types/dns-packet"
import type {
  CaaData,
  DnskeyData,
  DsData,
  HInfoData,
  MxData,
  NaptrData,
  Nsec3Data,
  NsecData,
  RpData,
  RrsigData,
  SoaData,
  SrvData,
  SshfpData,
  TlsaData,
} from "dns-packet";
import { formatIPv6, parseAddress } from "../../dns/address.ts";
import { typeText } from "../../dns/mnemonics.ts";
import { svcbText } from "./svcb.ts";
import {
  base32Text,
  base64Text,
  hexText,
  mailboxText,
  nameText,
  quoted,
  unknownText,
} from "./text.ts";

/** Presentation format by type; each gets what dns-packet makes of that type's data. */
const FORMATS: Readonly<Record<string, (data: never) => string>> = {
  A: (data: string) => data,
  AAAA: (data: string) => {
    const bytes = parseAddress(data);
    return bytes?.length === 16 ? formatIPv6(bytes) : data;
  },
  CNAME: nameText,
  DNAME: nameText,
  NS: nameText,
  PTR: nameText,
  CAA: ({ flags, tag, value }: CaaData) => `${flags ?? 0} ${tag} ${quoted(value)}`,
  DNSKEY: ({ flags, algorithm, key }: DnskeyData) => `${flags} 3 ${algorithm} ${base64Text(key)}`,
  DS: ({ keyTag, algorithm, digestType, digest }: DsData) =>
    `${keyTag} ${algorithm} ${digestType} ${hexText(digest)}`,
  HINFO: ({ cpu, os }: HInfoData) => `${quoted(cpu)} ${quoted(os)}`,
  MX: ({ preference, exchange }: MxData) => `${preference ?? 0} ${nameText(exchange)}`,
  NAPTR: ({ order, preference, flags, services, regexp, replacement }: NaptrData) =>
    `${order} ${preference} ${quoted(flags)} ${quoted(services)} ${quoted(regexp)} ` +
    nameText(replacement),
  NSEC: ({ nextDomain, rrtypes }: NsecData) => [nameText(nextDomain), ...types(rrtypes)].join(" "),
  NSEC3: ({ algorithm, flags, iterations, salt, nextDomain, rrtypes }: Nsec3Data) =>
    [algorithm, flags, iterations, hexText(salt) || "-", base32Text(nextDomain), ...types(rrtypes)]
      .join(" "),
  RP: ({ mbox, txt }: RpData) => `${mailboxText(mbox)} ${nameText(txt)}`,
  RRSIG: (data: RrsigData) =>
    `${types([data.typeCovered])[0]} ${data.algorithm} ${data.labels} ${data.originalTTL} ` +
    `${timeText(data.expiration)} ${timeText(data.inception)} ${data.keyTag} ` +
    `${nameText(data.signersName)} ${base64Text(data.signature)}`,
  SOA: ({ mname, rname, serial, refresh, retry, expire, minimum }: SoaData) =>
    `${nameText(mname)} ${mailboxText(rname)} ` +
    `${serial} ${refresh} ${retry} ${expire} ${minimum}`,
  SRV: ({ priority, weight, port, target }: SrvData) =>
    `${priority ?? 0} ${weight ?? 0} ${port} ${nameText(target)}`,
  SSHFP: ({ algorithm, hash, fingerprint }: SshfpData) =>
    `${algorithm} ${hash} ${fingerprint.toUpperCase().match(/.{1,56}/g)?.join(" ") ?? ""}`,
  SVCB: (data: Uint8Array) => svcbText(data) ?? unknownText(data),
  HTTPS: (data: Uint8Array) => svcbText(data) ?? unknownText(data),
  TLSA: ({ usage, selector, matchingType, certificate }: TlsaData) =>
    `${usage} ${selector} ${matchingType} ${hexText(certificate)}`,
  TXT: (data: Uint8Array[]) => data.map(quoted).join(" "),
};

/** Data of a record in presentation format; RFC 3597's for types that dns-packet does not know. */
export function rdataText(type: string, data: unknown): string {
  const format = Object.hasOwn(FORMATS, type) ? FORMATS[type] : undefined;
  if (format !== undefined) return format(data as never);
  return unknownText(data instanceof Uint8Array ? data : new Uint8Array(0));
}

/** Text of a type that dns-packet names; it says UNKNOWN_65 where IANA says HTTPS. */
export function packetTypeText(type: string): string {
  const number = /^UNKNOWN_(\d+)$/.exec(type)?.[1];
  return number === undefined ? type : typeText(Number(number));
}

function types(names: readonly string[]): string[] {
  return names.map(packetTypeText);
}

/** Seconds since 1970 as YYYYMMDDHHmmSS (RFC 4034 section 3.2). */
function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace(/\..*|[-:T]/g, "");
}
