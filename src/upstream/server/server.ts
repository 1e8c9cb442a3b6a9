import type { Inquiry } from "../message/inquiry.ts";
import type { AskHandler, AskOptions, Outcome, Ticket } from "../outcome.ts";
import { Ask } from "./ask.ts";
import { FormTrial } from "./form_trial.ts";
import { KnownServer } from "./known_server.ts";

const MAX_SPARE = 1024;

/** One server to ask. */
export class UpstreamServer extends KnownServer {
  readonly #spare: Ask[] = [];
  #trial: FormTrial | null = null;

  /** Returns the outcome instead of a ticket if asking fails at once. */
  ask(inquiry: Inquiry, options: AskOptions, handler: AskHandler): Ticket | Outcome {
    const ask = this.#spare.pop() ?? new Ask(this, this.#release);
    const ended = ask.start(inquiry, options, handler);
    if (ended !== null) {
      this.#release(ask);
      return ended;
    }
    // A question that the server has left unanswered would prove nothing.
    if (!options.again) {
      this.#trial ??= new FormTrial(this);
      this.#trial.tryWith(inquiry, options.streamed || this.group.settings.forceTcp);
    }
    return ask;
  }

  readonly #release = (ask: Ask): void => {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(ask);
  };
}
