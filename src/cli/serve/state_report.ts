import type { Logger } from "../../control/log/logger.ts";
import type { Status } from "../../control/endpoints/status.ts";
import { statusText } from "../status/text.ts";

/**
 * Prints the state of a serving nodens to its log (SIGQUIT): the text of `nodens status`, or with
 * `-log-format json` one message with the member `status`. Never rejects.
 */
export async function printStateReport(
  source: { collect(): Promise<Status> },
  logger: Logger,
): Promise<void> {
  try {
    const status = await source.collect();
    const lines = statusText(status).trimEnd().split("\n");
    logger.print(["SIGQUIT: this was the state", ...lines], "SIGQUIT: state report", { status });
  } catch (error) {
    logger.log("error", `SIGQUIT: there is no state report: ${(error as Error).message}`);
  }
}
