/**
 * How messages reach a data plane that serves. It stops for the time that it takes to read one, and
 * Deno reads every octet of a typed array and every part of an object on its own: 16 MiB in a view
 * take five seconds, a configuration of three thousand server blocks half a second. A buffer takes no
 * time however large it is, and text little.
 */
import type { Config } from "../../config/types.ts";
import type { ControlMessage } from "./messages.ts";

type Configure = ControlMessage & { type: "configure" };

/** A message on its way: the configuration is text. */
export type PostedMessage =
  | Exclude<ControlMessage, Configure>
  | Omit<Configure, "config"> & { config: string };

/**
 * Sends a message to a data plane: the only way to one that serves. Throws a TypeError if it holds a
 * typed array; what is large goes as a buffer.
 */
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

/** What was sent by `postToPlane`. */
export function readPosted(posted: PostedMessage): ControlMessage {
  return posted.type === "configure"
    ? { ...posted, config: JSON.parse(posted.config) as Config }
    : posted;
}

/** Throws a TypeError that says where the first typed array in a value is. */
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
