import { cacheFlush, frozenName } from "./attacks/cache.ts";
import { collidingNames, collidingTypes } from "./attacks/colliding_names.ts";
import { reloadStorm, signals, socketTheft, terminated } from "./attacks/control.ts";
import { controlBusy } from "./attacks/control_busy.ts";
import { outOfDescriptors, outOfPorts } from "./attacks/descriptors.ts";
import { http2Frames, longAnswers, unaskedAnswers, wrongCertificate } from "./attacks/encrypted.ts";
import { hostileFiles } from "./attacks/files.ts";
import { hostsGrowth } from "./attacks/hosts_growth.ts";
import { abandonedConnections, upstreamBurst } from "./attacks/gone.ts";
import { httpHoarding, httpPipelining } from "./attacks/http.ts";
import { malformedReplies } from "./attacks/malformed_replies.ts";
import { replyLoop } from "./attacks/reply_loop.ts";
import { scanCost } from "./attacks/scan_cost.ts";
import { subnets } from "./attacks/subnets.ts";
import {
  connectionHoarding,
  shortConnections,
  slowSenders,
  unreadTcp,
  unreadTcpFromMany,
} from "./attacks/tcp.ts";
import {
  dnsBomb,
  randomSubdomains,
  randomSubdomainsFromTwo,
  reflection,
} from "./attacks/waiting.ts";
import type { Attack } from "./frame/attack.ts";

/** All attacks, by attacker: an upstream, a client, a local process. */
export const ATTACKS: readonly Attack[] = [
  replyLoop,
  malformedReplies,
  scanCost(10),
  scanCost(25),
  collidingNames,
  collidingTypes,
  unaskedAnswers,
  longAnswers,
  http2Frames,
  wrongCertificate,
  unreadTcp,
  unreadTcpFromMany,
  connectionHoarding,
  shortConnections,
  abandonedConnections,
  slowSenders,
  httpHoarding,
  httpPipelining,
  controlBusy,
  outOfDescriptors(256),
  outOfDescriptors(1_024),
  outOfDescriptors(4_096),
  outOfPorts,
  upstreamBurst,
  randomSubdomains,
  randomSubdomainsFromTwo,
  dnsBomb,
  reflection,
  cacheFlush,
  frozenName,
  subnets,
  reloadStorm,
  terminated,
  signals,
  socketTheft,
  hostileFiles,
  hostsGrowth,
];

export function attackNamed(name: string): Attack {
  const found = ATTACKS.find((attack) => attack.name === name);
  if (found !== undefined) return found;
  const names = ATTACKS.map((attack) => attack.name).join(", ");
  throw new RangeError(`Cannot find the attack "${name}"; there are ${names}`);
}
