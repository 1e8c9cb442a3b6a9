import { MAX_SYSTEM_FILE_BYTES, readRegularTextSync } from "../../sys/regular_file.ts";

/**
 * Number of a user of this machine by name, as text; an unknown name is returned as it is.
 *
 * @param passwd - text of /etc/passwd
 */
export function userIdOf(name: string, passwd: string): string {
  for (const line of passwd.split("\n")) {
    const [login, , id] = line.split(":");
    if (login === name && id !== undefined && name !== "") return id;
  }
  return name;
}

/** The same on this machine. */
export function localUserId(name: string): string {
  if (name === "" || /^[0-9]+$/.test(name)) return name;
  try {
    return userIdOf(name, readRegularTextSync("/etc/passwd", MAX_SYSTEM_FILE_BYTES));
  } catch {
    return name;
  }
}
