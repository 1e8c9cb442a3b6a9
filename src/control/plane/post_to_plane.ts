/**
 * Sends messages to a data plane, which stops while it reads one. Deno reads each byte of a typed
 * array and each part of an object separately: 16 MiB in a view take five seconds, a configuration
 * of three thousand server blocks half a second. A buffer of any size takes no time, and text
 * little.
 */
import type { Config } from "../../config/types.ts";
import type { ControlMessage } from "./messages.ts";

type Configure = ControlMessage & { type: "configure" };

/** A message in transit: the configuration is text. */
export type PostedMessage =
  | Exclude<ControlMessage, Configure>
  | Omit<Configure, "config"> & { config: string };

/** Sends a message. Throws a TypeError if it contains a typed array. */
export function postToPlane(
  port: Pick<MessagePort, "postMessage">,
  message: ControlMessage,
  transfer: Transferable[] = [],
): void {
  const posted: PostedMessage = message.type === "configure"
    ? { ...message, config: JSON.stringify(message.config) }
    : message;
  refuseViews(posted);
  port.postMessage(posted, transfer);
}

/** The message that `postToPlane` was given. */
export function readPosted(posted: PostedMessage): ControlMessage {
  return posted.type === "configure"
    ? { ...posted, config: JSON.parse(posted.config) as Config }
    : posted;
}

function refuseViews(value: unknown, path = "message"): void {
  if (typeof value !== "object" || value === null) return;
  if (ArrayBuffer.isView(value)) {
    throw new TypeError(
      `Cannot send ${path} to a data plane: it is a typed array (send its buffer)`,
    );
  }
  const { constructor } = value;
  if (constructor !== Object && constructor !== Array) return;
  for (const key in value) refuseViews((value as Record<string, unknown>)[key], `${path}.${key}`);
}
