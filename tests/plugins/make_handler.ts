import type { CreateHandler, Handler } from "../../src/engine/handler.ts";
import { type FakeEngine, fakeEngine } from "../support/engine/fake_engine.ts";

/** A handler alone in its block. */
export function makeHandler<O>(
  create: CreateHandler<O>,
  options: O,
  engine: FakeEngine = fakeEngine(),
): Handler {
  return create(options, { engine, zones: ["."], position: 0 });
}
