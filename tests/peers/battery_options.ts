import { OPTIONS } from "../support/battery/servers.ts";
import { DENIAL, EMPTY, type Row } from "./battery_row.ts";

/** The same answers however the upstream is asked. */
export const OPTION_ROWS: readonly Row[] = [
  ...Object.entries(OPTIONS).flatMap(([label, option]): Row[] => {
    const name = (first: string) => `${first}.${label}.option.battery.example`;
    return [
      { title: `${option}: address`, ask: { name: name("plain") } },
      {
        title: `${option}: name in mixed case`,
        ask: { name: name("MiXeD").replace("battery", "BatTery") },
        again: { name: name("mIxEd") },
      },
      {
        title: `${option}: no data, cookie in OPT`,
        ask: {
          name: name("none"),
          type: "AAAA",
          edns: { size: 1232, options: [[10, "0011223344556677"]] },
        },
        cold: { ...DENIAL, opt: "1232" },
      },
      {
        title: `${option}: not recursive`,
        ask: { name: name("norecurse"), bits: "" },
        cold: { bits: "qr aa ra", counts: "1/1/1" },
        upstream: "always",
      },
      {
        title: `${option}: text that does not fit`,
        ask: { name: name("text"), type: "TXT", edns: { size: 1232 } },
        cold: { ...EMPTY, bits: "qr aa tc rd ra", opt: "1232" },
        tcp: { bits: "qr aa rd ra", counts: "1/0/0", ttls: [300] },
      },
    ];
  }),
  {
    // named returns no subnet, so its answer may be cached for all or for this one only (RFC 7871
    // section 7.3.1).
    title: "ecs pass: client subnets, one after the other",
    ask: {
      name: "subnets.ecs.option.battery.example",
      edns: { size: 1232, options: [[8, "00011800c00002"]] },
    },
    again: {
      name: "subnets.ecs.option.battery.example",
      edns: { size: 1232, options: [[8, "00011800c63364"]] },
    },
    cold: { opt: ["1232", "1232 option=8"] },
    upstream: "unseen",
  },
];
